// What each visible widget carries: it borrows the front end from the notebook's one hidden core,
// or, where the front end of anywidget cannot reach another widget, asks the kernel for the code.
const BUNDLE = Symbol.for("headscope.bundle");

const fetchBundle = (model) =>
  new Promise((resolve, reject) => {
    const onMessage = (message) => {
      if (message?.type !== "bundle") return;
      model.off("msg:custom", onMessage);
      const url = URL.createObjectURL(new Blob([message.code], { type: "text/javascript" }));
      import(url).then((module) => resolve(module.default), reject).finally(() => URL.revokeObjectURL(url));
    };
    model.on("msg:custom", onMessage);
    model.send({ type: "need_bundle" });
  });

const borrow = async ({ model, host }) => {
  if (host?.getWidget) {
    const core = await host.getWidget(model.get("_core"));
    return core.exports;
  }
  globalThis[BUNDLE] ??= fetchBundle(model);
  return globalThis[BUNDLE];
};

export default {
  async render(context) {
    const front = await borrow(context);
    return front.render(context);
  },
};
