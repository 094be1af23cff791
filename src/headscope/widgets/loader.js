// What each visible widget carries: it borrows the front end from the notebook's one hidden core,
// or, where the front end of anywidget cannot reach another widget, asks the kernel for the code.
const BUNDLE = Symbol.for("headscope.bundle");

const askForCode = (model) =>
  new Promise((resolve) => {
    const onMessage = (message) => {
      if (message?.type !== "bundle") return;
      model.off("msg:custom", onMessage);
      resolve(message.code);
    };
    model.on("msg:custom", onMessage);
    model.send({ type: "need_bundle" });
  });

const load = async (code) => {
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  try {
    return (await import(url)).default;
  } catch (broken) {
    delete globalThis[BUNDLE]; // the next widget asks again
    throw broken;
  } finally {
    URL.revokeObjectURL(url);
  }
};

const borrow = async ({ model, host }) => {
  if (host?.getWidget) {
    const core = await host.getWidget(model.get("_core"));
    return core.exports;
  }
  // Each widget waits for its own answer, since the cell of another may be cleared meanwhile; the
  // first to have one loads it for all.
  const code = globalThis[BUNDLE] ? "" : await askForCode(model);
  globalThis[BUNDLE] ??= load(code);
  return globalThis[BUNDLE];
};

export default {
  async render(context) {
    const front = await borrow(context);
    return front.render(context);
  },
};
