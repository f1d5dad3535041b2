// Pictures with colored regions and a legend. Props: views, see region_views.py. Value: the region that is chosen in the
// first view, or null.
const root = element.querySelector(".region_views");
const chooses = root.classList.contains("chooses");

function draw(view, canvas, picture, indices, opacity, alone, outlined) {
  const pen = canvas.getContext("2d");
  pen.imageSmoothingEnabled = true;
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  const colors = new Map(view.regions.map((region) => [region.index, region.color]));
  const layer = new OffscreenCanvas(indices.width, indices.height);
  const over = layer.getContext("2d");
  const pixels = over.createImageData(indices.width, indices.height);
  for (let at = 0; at < indices.data.length; at++) {
    const inside = alone === null || indices.data[at] === alone;
    const color = colors.get(indices.data[at]);
    // Of one region alone the picture is seen, and the others are dark.
    const light = inside ? 1 : 0.3;
    for (let channel = 0; channel < 3; channel++)
      pixels.data[4 * at + channel] = light * parseInt(color.slice(1 + 2 * channel, 3 + 2 * channel), 16);
    pixels.data[4 * at + 3] = 255 * (alone === null ? opacity : inside ? 0.2 * opacity : 0.85);
  }
  over.putImageData(pixels, 0, 0);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(layer, 0, 0, canvas.width, canvas.height);
  if (outlined !== null) outline(pen, canvas, indices, outlined);
}

// The border of a region, white on black, between positions of the map.
function outline(pen, canvas, { width, height, data }, region) {
  const [across, down] = [canvas.width / width, canvas.height / height];
  const inside = (x, y) => x >= 0 && y >= 0 && x < width && y < height && data[y * width + x] === region;
  const border = new Path2D();
  for (let y = 0; y <= height; y++)
    for (let x = 0; x <= width; x++) {
      const here = inside(x, y);
      if (here !== inside(x - 1, y)) border.rect(x * across, y * down, 0, down);
      if (here !== inside(x, y - 1)) border.rect(x * across, y * down, across, 0);
    }
  for (const [color, line] of [["#000", 7], ["#fff", 3]]) {
    pen.strokeStyle = color;
    pen.lineWidth = line;
    pen.stroke(border);
  }
}

const loaded = (url) =>
  new Promise((resolve) => {
    const image = new Image();
    image.onload = () => resolve(image);
    image.src = url;
  });

async function indicesOf(url) {
  const image = await loaded(url);
  const [width, height] = [image.naturalWidth, image.naturalHeight];
  const pen = new OffscreenCanvas(width, height).getContext("2d");
  pen.drawImage(image, 0, 0);
  const data = pen.getImageData(0, 0, width, height).data.filter((_, at) => at % 4 === 0);
  return { width, height, data };
}

const made = (tag, parent, properties = {}) => parent.appendChild(Object.assign(document.createElement(tag), properties));

async function build(view, number) {
  const [picture, indices] = await Promise.all([loaded(view.picture), indicesOf(view.map)]);
  const figure = document.createElement("figure");
  const scale = Math.max(1, Math.round(512 / Math.max(view.width, view.height)));
  const canvas = made("canvas", figure, { width: scale * view.width, height: scale * view.height });
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `The picture with its ${view.regions.length} regions in color; the list names them`);
  const label = made("label", figure, { className: "opacity", textContent: "Strength of the colors" });
  const opacity = made("input", label, { type: "range", min: 0, max: 100, value: 60 });
  const list = made("ul", figure);
  let chosen = null, over = null;
  const redraw = () => {
    const alone = over ?? (chooses ? null : chosen);
    draw(view, canvas, picture, indices, Number(opacity.value) / 100, alone, chooses && over === null ? chosen : null);
  };
  const choose = (index) => {
    chosen = index;
    for (const button of list.querySelectorAll("button"))
      button.setAttribute("aria-pressed", String(Number(button.dataset.index) === chosen));
    if (number === 0 && props.value !== chosen) {
      props.value = chosen;
      trigger("select");
    }
    redraw();
  };
  for (const region of view.regions) {
    const percent = 100 * region.share;
    const button = made("button", made("li", list), { type: "button" });
    button.dataset.index = region.index;
    button.style.setProperty("--color", region.color);
    button.append(`Region ${region.index}, ${percent < 1 ? "under 1" : Math.round(percent)} %`);
    button.onclick = () => choose(chosen === region.index && !chooses ? null : region.index);
    button.onmouseenter = button.onfocus = () => ((over = region.index), redraw());
    button.onmouseleave = button.onblur = () => ((over = null), redraw());
  }
  canvas.onclick = (event) => {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * indices.width);
    const row = Math.floor(((event.clientY - box.top) / box.height) * indices.height);
    const index = indices.data[row * indices.width + column];
    choose(chosen === index && !chooses ? null : index);
  };
  opacity.oninput = redraw;
  choose(chooses ? view.regions[0].index : null);
  return figure;
}

let turn = 0;
async function show() {
  const own = ++turn;
  const figures = await Promise.all((props.views ?? []).map(build));
  if (own === turn) root.replaceChildren(...figures);
}
watch("views", show);
show();
