// Beside a live view stands an output for readers without a kernel (`export/output.py`). The view hides it for
// as long as it is there itself.

/** Hides the output of that name, in JupyterLab its whole row; returns what lets it show again. */
export function hideOutput(name: string): () => void {
  const output = `[data-headscope="${CSS.escape(name)}"]`;
  const style = document.createElement("style");
  style.textContent = `${output}, .jp-OutputArea-child:has(${output}) { display: none !important; }`;
  document.head.append(style);
  return () => style.remove();
}
