// A picture to paint a hole on. Props: picture (URL or ""). Value: the hole as the data URL of a PNG, or null.
const find = (name) => element.querySelector(name);
const [frame, image, canvas, ring] = [".stage", "img", "canvas", ".ring"].map(find);
const [size, erase, undo, clear] = [".size", ".erase", ".undo", ".clear"].map(find);
const pen = canvas.getContext("2d", { willReadFrequently: true });
let former = [], last = null, spot = null, painting = false;

// Sizes are shares of the shorter side, so that a brush looks the same on any picture and screen.
const radius = () => (Number(size.value) / 200) * Math.min(canvas.width, canvas.height);
const erasing = () => erase.getAttribute("aria-pressed") === "true";

function report() {
  const pixels = pen.getImageData(0, 0, canvas.width, canvas.height).data;
  let painted = 0;
  for (let at = 3; at < pixels.length; at += 4) painted += pixels[at] > 0;
  undo.disabled = !former.length;
  clear.disabled = !painted;
  props.value = painted ? canvas.toDataURL("image/png") : null;
}
function remember() {
  former.push(pen.getImageData(0, 0, canvas.width, canvas.height));
  if (former.length > 20) former.shift();
}
function stroke(from, to) {
  pen.globalCompositeOperation = erasing() ? "destination-out" : "source-over";
  pen.strokeStyle = "#e6007e";
  pen.lineCap = pen.lineJoin = "round";
  pen.lineWidth = 2 * radius();
  pen.beginPath();
  pen.moveTo(from.x, from.y);
  pen.lineTo(to.x + 0.01, to.y);
  pen.stroke();
}
function place(point) {
  spot = point;
  ring.hidden = !point;
  if (!point) return;
  ring.style.left = `${(100 * point.x) / canvas.width}%`;
  ring.style.top = `${(100 * point.y) / canvas.height}%`;
  ring.style.width = `${(200 * radius()) / canvas.width}%`;
}
function pointOf(event) {
  const box = canvas.getBoundingClientRect();
  return {
    x: ((event.clientX - box.left) / box.width) * canvas.width,
    y: ((event.clientY - box.top) / box.height) * canvas.height,
  };
}
canvas.addEventListener("pointerdown", (event) => {
  if (event.button !== 0 || !event.isPrimary) return;
  event.preventDefault();
  canvas.setPointerCapture(event.pointerId);
  remember();
  painting = true;
  last = pointOf(event);
  place(last);
  stroke(last, last);
});
canvas.addEventListener("pointermove", (event) => {
  const parts = event.getCoalescedEvents?.() ?? [];
  for (const part of parts.length ? parts : [event]) {
    const point = pointOf(part);
    if (painting) stroke(last, point);
    last = point;
  }
  place(last);
});
for (const name of ["pointerup", "pointercancel"])
  canvas.addEventListener(name, () => {
    if (painting) report();
    painting = false;
  });
canvas.addEventListener("pointerleave", () => painting || place(null));

// With a keyboard: arrows move the brush (with Shift farther), space paints, plus and minus change its size.
canvas.addEventListener("focus", () => {
  if (!spot && canvas.matches(":focus-visible")) place({ x: canvas.width / 2, y: canvas.height / 2 });
});
canvas.addEventListener("blur", () => place(null));
canvas.addEventListener("keydown", (event) => {
  const step = Math.max(1, radius()) * (event.shiftKey ? 4 : 1);
  const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  const from = spot ?? { x: canvas.width / 2, y: canvas.height / 2 };
  if (way) {
    place({
      x: Math.min(canvas.width, Math.max(0, from.x + step * way[0])),
      y: Math.min(canvas.height, Math.max(0, from.y + step * way[1])),
    });
  } else if (event.key === " ") {
    remember();
    place(from);
    stroke(from, from);
    report();
  } else if (event.key === "+" || event.key === "-") {
    size.value = Number(size.value) + (event.key === "+" ? 2 : -2);
    size.dispatchEvent(new Event("input"));
  } else if (event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey)) {
    undo.click();
  } else return;
  event.preventDefault();
});
size.addEventListener("input", () => {
  find("output").value = `${size.value} %`;
  place(spot);
});
erase.addEventListener("click", () => erase.setAttribute("aria-pressed", String(!erasing())));
undo.addEventListener("click", () => {
  if (former.length) pen.putImageData(former.pop(), 0, 0);
  report();
});
clear.addEventListener("click", () => {
  remember();
  pen.clearRect(0, 0, canvas.width, canvas.height);
  report();
});

function show() {
  former = [];
  find(".painter").hidden = !props.picture;
  if (!props.picture) {
    image.removeAttribute("src");
    props.value = null;
    return;
  }
  image.onload = () => {
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    frame.style.setProperty("--shape", image.naturalWidth / image.naturalHeight);
    erase.setAttribute("aria-pressed", "false");
    place(null);
    report();
    element.dataset.ready = props.picture.length;
  };
  image.src = props.picture;
}
watch("picture", show);
show();
