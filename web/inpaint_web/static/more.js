// A long text: whole where there is room, else cut where one sees it, with a button that shows the rest.

export class More {
  constructor(text, button) {
    this.text = text;
    this.button = button;
    button.addEventListener("click", () => this.open(!this.isOpen()));
    new ResizeObserver(() => this.look()).observe(text);
  }

  isOpen() {
    return this.button.getAttribute("aria-expanded") === "true";
  }

  open(to) {
    this.button.setAttribute("aria-expanded", String(to));
    this.button.textContent = to ? "less" : "more";
    this.text.classList.toggle("open", to);
    this.text.scrollTop = 0;
    // So that it can be scrolled without a mouse.
    if (to) this.text.tabIndex = 0;
    else this.text.removeAttribute("tabindex");
    this.look();
  }

  look() {
    const cut = !this.isOpen() && this.text.scrollHeight > this.text.clientHeight + 2;
    this.text.classList.toggle("cut", cut);
    this.button.hidden = !cut && !this.isOpen();
  }
}
