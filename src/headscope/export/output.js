// Shows what stands beside a live view where none comes: once JupyterLab says so, or after a while.
((output) => {
  const { headscope } = output.dataset;
  const sheet = (text) => {
    const style = document.createElement("style");
    style.textContent = text;
    document.head.append(style);
    return style;
  };
  const here = `[data-headscope="${headscope}"]`;
  const hidden = sheet(`${here}, .jp-OutputArea-child:has(${here}) { display: none !important; }`);
  const before = output.closest(".jp-OutputArea-child")?.previousElementSibling;
  const says = (words) => before?.textContent.trimStart().startsWith(words) ?? false;
  const show = () => {
    hidden.remove();
    if (says("Error displaying widget") || says("Loading widget")) {
      before.dataset.headscopeFailed = headscope;
      const failed = `[data-headscope-failed="${headscope}"]`;
      sheet(`${failed}:not(:has(.headscope)) { display: none !important; }`);
    }
    document.dispatchEvent(new Event("headscope"));
  };
  let looks = 20;
  const timer = setInterval(() => {
    looks -= 1;
    if (looks > 0 && !says("Error displaying widget")) return;
    clearInterval(timer);
    show();
  }, 250);
})(document.currentScript.closest(".headscope-output"));
