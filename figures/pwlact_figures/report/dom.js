"use strict";
// Elements. Text goes in as text only, never as markup: a class name or a path can hold anything.

const SVG = "http://www.w3.org/2000/svg";

// what goes wrong is left on the root element, where a test finds it
for (const kind of ["error", "unhandledrejection", "securitypolicyviolation"]) {
  addEventListener(kind, (event) => {
    const root = document.documentElement;
    const said = event.message ?? event.reason ?? event.violatedDirective;
    root.dataset.errors = `${root.dataset.errors ?? ""}${kind}: ${said}\n`;
  });
}

/** An element of HTML with attributes; strings among the children become text. */
function html(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** An element of SVG. */
function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A number with at most `digits` significant digits, "–" for one that is missing. */
function said(value, digits = 3) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const short = Number(value.toPrecision(digits));
  const size = Math.abs(short);
  const text = size !== 0 && (size >= 1e5 || size < 1e-3) ? short.toExponential() : String(short);
  return text.replaceAll("-", "−");
}
