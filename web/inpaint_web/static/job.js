// Bars of the time line: their places come as data, since pages carry no styles of their own.
for (const span of document.querySelectorAll(".span")) {
  span.style.left = `${span.dataset.start}%`;
  span.style.width = `${span.dataset.width}%`;
}
