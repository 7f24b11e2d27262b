// Measures a page as its reader has it: does it fit, can it be read, can it be reached?
const luminance = (rgb) => {
  const [r, g, b] = rgb.map((v) => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (one, other) => {
  const [a, b] = [luminance(one), luminance(other)].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
};
const colour = (text) => (text.match(/[\d.]+/g) || []).map(Number);
const behind = (element) => {
  for (let e = element; e; e = e.parentElement) {
    if (e.tagName === "g" && e.querySelector("rect")) return colour(getComputedStyle(e.querySelector("rect")).fill);
    const found = colour(getComputedStyle(e).backgroundColor);
    if (found.length === 3 || found[3] === 1) return found;
  }
  return [255, 255, 255];
};
const shown = (element) => element.getClientRects().length && !element.closest(".hidden, .skip, title");
const texts = [...document.body.querySelectorAll("*")].filter((e) =>
  shown(e) && [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()) && !["SCRIPT", "STYLE"].includes(e.tagName));
const faint = texts.map((e) => {
  const style = getComputedStyle(e);
  const own = colour(e.closest("svg") ? style.fill : style.color);
  return [contrast(own, behind(e)), e.textContent.trim().slice(0, 40)];
}).filter(([ratio]) => ratio < 4.5);
const small = texts.map((e) => {
  const svg = e.closest("svg");
  const scale = svg ? svg.getBoundingClientRect().width / svg.viewBox.baseVal.width : 1;
  return [parseFloat(getComputedStyle(e).fontSize) * scale, e.textContent.trim().slice(0, 40)];
}).filter(([size]) => size < 9.5);
const overflowing = [...document.querySelectorAll("svg .chip")].filter((chip) => {
  const box = chip.querySelector("rect").getBoundingClientRect();
  return [...chip.querySelectorAll("text")].some((t) => t.getBoundingClientRect().right > box.right);
}).map((chip) => chip.textContent.trim());
parent.document.getElementById("probe").textContent = JSON.stringify({
  dark: matchMedia("(prefers-color-scheme: dark)").matches,
  width: document.documentElement.scrollWidth,
  window: window.innerWidth,
  faint, small, overflowing,
  nameless: [...document.querySelectorAll("svg")].filter((s) => !s.getAttribute("aria-label") && !document.getElementById(s.getAttribute("aria-labelledby"))).length,
  stops: [...document.querySelectorAll("a[href], summary, [tabindex='0']")].map((e) => e.getAttribute("href") || e.getAttribute("aria-label") || e.textContent.trim()),
  dead: [...document.querySelectorAll("a[href^='#']")].filter((a) => !document.querySelector(a.getAttribute("href"))).map((a) => a.getAttribute("href")),
  scrolls: [...document.querySelectorAll(".wide")].filter((w) => w.scrollWidth > w.clientWidth).map((w) => w.getAttribute("aria-label")),
});
