// Applies the stored appearance before the first paint. Kept outside the bundle: the page's policy allows no inline
// script, and waiting for the bundle would show a flash of the wrong theme.
(function () {
  var root = document.documentElement;
  var look = {};
  try {
    look = JSON.parse(localStorage.getItem("pizzapi.prefs") || "{}") || {};
  } catch (e) {
    look = {};
  }
  var dark = look.theme === "dark" || (look.theme !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
  root.dataset.theme = dark ? "dark" : "light";
  if (look.contrast === "more") root.dataset.contrast = "more";
  if (look.density) root.dataset.density = look.density;
  if (look.motion === "less") root.dataset.motion = "less";
  if (look.textSize) root.style.fontSize = look.textSize + "%";
  var meta = document.querySelector('meta[name="theme-color"]');
  if (meta) meta.setAttribute("content", dark ? "#0b0a08" : "#f3f2f0");
})();
