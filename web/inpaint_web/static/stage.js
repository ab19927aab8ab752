// The pictures of an item and the ways to look at them: flicker, outline, zoom, difference. All pictures move alike.
import { difference, outline } from "./overlays.js";

export class Stage {
  constructor(desk, panes, sourcePane, maskPane) {
    this.desk = desk;
    this.panes = panes;
    this.sourcePane = sourcePane;
    this.maskPane = maskPane;
    this.loaded = null;
    this.on = { source: false, outline: false, zoom: 0, difference: false }; // zoom: pixels of the screen a pixel
    this.point = { u: 0.5, v: 0.5 };
    this.buttons = {};
    for (const name of Object.keys(this.on)) this.buttons[name] = document.getElementById(`tool-${name}`);
    this.listen();
  }

  show(loaded) {
    this.loaded = loaded;
    this.panes.classList.toggle("several", loaded.results.length > 1);
    this.panes.replaceChildren(...loaded.results.map((image, number) => this.pane(image, number, loaded)));
    this.fill(this.sourcePane, loaded.source);
    this.fill(this.maskPane, loaded.mask);
    this.maskPane.hidden = !loaded.mask;
    this.buttons.outline.disabled = !loaded.mask;
    this.on.source = false;
    this.on.zoom = 0;
    this.refresh();
  }

  pane(result, number, loaded) {
    const pane = document.createElement("figure");
    pane.className = "pane";
    const tag = document.createElement("span");
    tag.className = "tag";
    tag.textContent = loaded.results.length > 1 ? `Trial ${number + 1}` : "Result";
    const over = loaded.source.cloneNode();
    over.className = "over";
    over.alt = "";
    pane.append(result, over, tag);
    return pane;
  }

  fill(pane, image) {
    pane.querySelectorAll("img, canvas").forEach((old) => old.remove());
    if (image) pane.prepend(image);
  }

  // Zoom: one to one, then double, then off.
  toggle(name, to = name === "zoom" ? (this.on.zoom + 1) % 3 : !this.on[name]) {
    if (this.on[name] === to || this.buttons[name].disabled) return;
    this.on[name] = to;
    this.refresh();
  }

  refresh() {
    for (const [name, button] of Object.entries(this.buttons)) button.setAttribute("aria-pressed", String(Boolean(this.on[name])));
    this.buttons.zoom.querySelector("span").textContent = ["Zoom", "Zoom 1:1", "Zoom 2:1"][this.on.zoom];
    this.desk.classList.toggle("show-source", this.on.source);
    this.desk.classList.toggle("zoomed", this.on.zoom > 0);
    this.tags();
    [...this.panes.children].forEach((pane, number) => {
      this.layer(pane, "outline", this.on.outline && this.loaded.mask, () => outline(this.loaded.mask));
      // The source in place of the result is of no use under its own difference.
      const different = this.on.difference && !this.on.source;
      this.layer(pane, "difference", different, () => difference(this.loaded.source, this.loaded.results[number]));
    });
    this.zoom();
  }

  tags() {
    for (const [number, pane] of [...this.panes.children].entries()) {
      const own = this.loaded.results.length > 1 ? `Trial ${number + 1}` : "Result";
      const name = this.on.source ? "Source" : this.on.difference ? `${own}, difference ×8` : own;
      pane.querySelector(".tag").textContent = name;
    }
  }

  layer(pane, name, wanted, make) {
    let canvas = pane.querySelector(`canvas.${name}`);
    if (wanted && !canvas) {
      canvas = make();
      canvas.className = name;
      if (name === "difference") pane.querySelector("img.over").after(canvas);
      else pane.append(canvas);
    }
    if (canvas) canvas.hidden = !wanted;
  }

  // The point under the pointer stays where it is; the same point of the other pictures is found by its share of them.
  // A pixel of the result is one of the screen, or two by two; whatever has other pixels becomes as wide as the result.
  zoom() {
    const all = [...this.panes.children, this.sourcePane, this.maskPane];
    const main = this.fit(this.panes.firstElementChild);
    for (const pane of all) {
      const fit = this.fit(pane);
      const wide = main && (this.on.zoom * main.width) / main.scale / window.devicePixelRatio;
      const scale = this.on.zoom && fit && main ? wide / fit.width : 1;
      for (const layer of pane.querySelectorAll("img, canvas")) {
        layer.style.transform = scale === 1 ? "" : `scale(${scale})`;
        if (fit) layer.style.transformOrigin = `${fit.left + this.point.u * fit.width}px ${fit.top + this.point.v * fit.height}px`;
      }
    }
  }

  // Where in its pane a picture lies when it is seen whole.
  fit(pane) {
    const image = pane?.querySelector("img");
    if (!image?.naturalWidth || !pane.clientWidth) return null;
    const scale = Math.min(pane.clientWidth / image.naturalWidth, pane.clientHeight / image.naturalHeight);
    const width = image.naturalWidth * scale;
    const height = image.naturalHeight * scale;
    return { scale, width, height, left: (pane.clientWidth - width) / 2, top: (pane.clientHeight - height) / 2 };
  }

  aim(pane, event) {
    const fit = this.fit(pane);
    if (!fit) return;
    const box = pane.getBoundingClientRect();
    const within = (value) => Math.min(1, Math.max(0, value));
    this.point = {
      u: within((event.clientX - box.left - fit.left) / fit.width),
      v: within((event.clientY - box.top - fit.top) / fit.height),
    };
    if (this.on.zoom) this.zoom();
  }

  listen() {
    const view = this.panes.parentElement;
    view.addEventListener("pointermove", (event) => {
      const pane = event.target.closest?.(".pane");
      if (pane) this.aim(pane, event);
    });
    view.addEventListener("dblclick", (event) => {
      const pane = event.target.closest?.(".pane");
      if (!pane) return;
      this.aim(pane, event);
      this.toggle("zoom");
    });
    window.addEventListener("resize", () => this.loaded && this.zoom());
    for (const name of ["outline", "zoom", "difference"]) {
      this.buttons[name].addEventListener("click", () => this.toggle(name));
    }
    const hold = this.buttons.source;
    hold.addEventListener("pointerdown", (event) => {
      hold.setPointerCapture(event.pointerId);
      this.toggle("source", true);
    });
    for (const end of ["pointerup", "pointercancel"]) hold.addEventListener(end, () => this.toggle("source", false));
    // Without a pointer a press cannot be held: it stays until the next one.
    hold.addEventListener("click", (event) => event.detail === 0 && this.toggle("source"));
    hold.addEventListener("contextmenu", (event) => event.preventDefault());
  }
}
