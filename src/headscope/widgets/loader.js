// What each visible widget carries: it borrows the front end from the notebook's one hidden core,
// or, where the front end of anywidget cannot reach another widget, asks the kernel for the code.
const BUNDLES = Symbol.for("headscope.bundles");
const bundles = (globalThis[BUNDLES] ??= {});

// A message can lie in a kernel's queue until another one comes: it is asked again.
const askForCode = (model, name) =>
  new Promise((resolve) => {
    let patience = 2_000;
    let again;
    const ask = () => {
      model.send({ type: "need_bundle", name });
      again = setTimeout(ask, patience);
      patience *= 2;
    };
    const onMessage = (message) => {
      if (message?.type !== "bundle" || message.name !== name) return;
      clearTimeout(again);
      model.off("msg:custom", onMessage);
      resolve(message.code);
    };
    model.on("msg:custom", onMessage);
    ask();
  });

const load = async (code, name) => {
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  try {
    return (await import(url)).default.initialize();
  } catch (broken) {
    delete bundles[name]; // the next widget asks again
    throw broken;
  } finally {
    URL.revokeObjectURL(url);
  }
};

const borrow = async ({ model, host }, name, trait) => {
  if (!host?.getWidget) return lend(model, name);
  const core = await host.getWidget(model.get(trait));
  return core.exports;
};

const lend = async (model, name) => {
  // Each widget waits for its own answer, since the cell of another may be cleared meanwhile; the
  // first to have one loads it for all.
  const code = bundles[name] ? "" : await askForCode(model, name);
  bundles[name] ??= load(code, name);
  return bundles[name];
};

// Another widget, in a pane of this one.
const drawIn = async ({ model, host }, ref, el, signal) => {
  if (host?.getWidget) return (await host.getWidget(ref)).render({ el, signal });
  const remove = await render({ model: await model.widget_manager.get_model(ref.split(":")[1]), el });
  signal.addEventListener("abort", remove);
  if (signal.aborted) remove();
};

const render = async (context) => {
  const front = await borrow(context, "widget", "_core");
  const { model } = context;
  const view = model.get("_view_core") && (await borrow(context, model.get("_view_bundle"), "_view_core"));
  const draw = (...pane) => drawIn(context, ...pane);
  return front.render({ ...context, view, draw, lend: (name) => lend(model, name) });
};

export default { render };
