// What is timed inside the page. Loaded as one expression whose value is an object of functions.
(() => {
  const frame = () => new Promise(requestAnimationFrame);
  /** Till the next frame has been handled, laid out and painted. */
  const tillFrameIsOnScreen = (onBegin) =>
    new Promise((resolve) => {
      requestAnimationFrame(() => {
        onBegin?.(performance.now());
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = resolve;
        port2.postMessage(null);
      });
    });

  const pixels = (canvas) =>
    new Uint32Array(
      canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer,
    );
  const drawn = (canvas) => canvas.width * canvas.height > 0 && pixels(canvas).some(Boolean);
  const checksum = (canvas) => pixels(canvas).reduce((sum, pixel) => (31 * sum + pixel) | 0, 0);

  const root = () => document.querySelector(".headscope")?.shadowRoot;
  const all = (scope, selector) => [...(scope?.querySelectorAll(selector) ?? [])];
  const canvases = {
    /** The overview, then the enlarged heads. */
    headscope: () => all(root(), ".hs-att-sticky canvas:first-child"),
    /** All heads, then the enlarged one. */
    circuitsvis: () => all(document, "[id^=circuits-vis] canvas"),
  };
  const expected = { headscope: 2, circuitsvis: 145 };
  const painted = (who) => {
    if (who === "numbers") return root()?.querySelector(".hs-bars-terms dd") != null;
    const found = canvases[who]();
    return found.length >= expected[who] && found.every(drawn);
  };

  const until = async (condition, limitS) => {
    const deadline = performance.now() + 1000 * limitS;
    while (!condition()) {
      if (performance.now() > deadline) return false;
      await frame();
    }
    await tillFrameIsOnScreen();
    return true;
  };

  /** Seconds from running the notebook's first cell to its picture; null: not there in time. */
  const runCell = async ({ code, who, limitS }) => {
    const notebook = jupyterapp.shell.currentWidget.content;
    const cell = notebook.widgets[0];
    cell.model.sharedModel.setSource(code);
    cell.model.outputs.clear();
    notebook.activeCellIndex = 0;
    await until(() => !document.querySelector(".headscope, [id^=circuits-vis]"), limitS);
    const start = performance.now();
    jupyterapp.commands.execute("notebook:run-cell");
    return (await until(() => painted(who), limitS)) ? (performance.now() - start) / 1000 : null;
  };

  /** Seconds from Enter in the prompt to another picture; null if none comes in time. */
  const timeEdit = async ({ limitS }) => {
    const start = await new Promise((resolve) => {
      const listen = (event) => {
        if (event.key !== "Enter") return;
        root().removeEventListener("keydown", listen, true);
        resolve(performance.now());
      };
      root().addEventListener("keydown", listen, true);
    });
    const picture = () => canvases.headscope().slice(1).map(checksum).join();
    const before = picture();
    // Looking at pixels costs, so not while the kernel is busy with the forward pass.
    const busy = () => root().querySelector("[aria-busy=true]");
    const fresh = () => !busy() && picture() !== before;
    return (await until(fresh, limitS)) ? (performance.now() - start) / 1000 : null;
  };

  /** Seconds from a slider's move to another number beside it; null if none comes in time. */
  const timeSlide = async ({ value, limitS }) => {
    const number = root().querySelector(".hs-bars-terms dd");
    const slider = root().querySelector(".hs-interventions input[type=range]");
    const { promise: moved, resolve } = Promise.withResolvers();
    // No loop over frames: it would draw beside the computation, which a reader's page does not.
    const watch = new MutationObserver(() => resolve(true));
    watch.observe(number, { childList: true, characterData: true, subtree: true });
    setTimeout(() => resolve(false), 1000 * limitS);
    slider.value = value;
    const start = performance.now();
    slider.dispatchEvent(new Event("input", { bubbles: true, composed: true }));
    const came = await moved;
    watch.disconnect();
    if (!came) return null;
    await tillFrameIsOnScreen();
    return (performance.now() - start) / 1000;
  };

  const deepest = (x, y) => {
    let found = document.elementFromPoint(x, y);
    while (found?.shadowRoot) {
      const inner = found.shadowRoot.elementFromPoint(x, y);
      if (!inner || inner === found) break;
      found = inner;
    }
    return found;
  };

  /** Milliseconds of main thread for each of `steps` moves from one point of the screen to another. */
  const sweep = async ({ from, to, steps }) => {
    const spent = [];
    for (let i = 0; i < steps; i++) {
      const share = i / (steps - 1);
      const x = from.x + share * (to.x - from.x);
      const y = from.y + share * (to.y - from.y);
      const place = { clientX: x, clientY: y, screenX: Math.round(x), screenY: Math.round(y) };
      const shape = { ...place, bubbles: true, composed: true, pointerType: "mouse" };
      await tillFrameIsOnScreen();
      let frameBegun;
      const frameIsOver = tillFrameIsOnScreen((now) => {
        frameBegun = now;
      });
      const begun = performance.now();
      deepest(x, y)?.dispatchEvent(new PointerEvent("pointermove", shape));
      const handled = performance.now() - begun;
      await frameIsOver;
      spent.push(handled + performance.now() - frameBegun);
    }
    return spent;
  };

  /** Where the canvases are on the screen. */
  const boxes = (who) => canvases[who]().map((canvas) => canvas.getBoundingClientRect().toJSON());

  return { painted, runCell, timeEdit, timeSlide, sweep, boxes, tillFrameIsOnScreen };
})()
