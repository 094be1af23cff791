// Figures follow the site's choice of light or dark, as they follow JupyterLab's.
const system = matchMedia("(prefers-color-scheme: dark)");
const tell = () => {
  const { theme } = document.body.dataset;
  const dark = theme === "dark" || (theme !== "light" && system.matches);
  document.body.dataset.jpThemeLight = String(!dark);
};
new MutationObserver(tell).observe(document.body, { attributeFilter: ["data-theme"] });
system.addEventListener("change", tell);
tell();
