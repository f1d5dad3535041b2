// Rows of pictures. Props: rows of {title, pictures: [{source, name, caption}]}. Value, where pictures can be chosen: the
// name of the one that was pressed last.
const root = element.querySelector(".pictures");
const chooses = root.classList.contains("chooses");
const made = (tag, parent, properties = {}) => parent.appendChild(Object.assign(document.createElement(tag), properties));

function show() {
  root.replaceChildren();
  for (const row of props.rows ?? []) {
    const section = made("section", root);
    section.style.setProperty("--count", row.pictures.length);
    if (row.title) made("p", section, { className: "title", textContent: row.title });
    const list = made("ul", section);
    for (const picture of row.pictures) {
      const item = made("li", list);
      const place = chooses ? made("button", item, { type: "button" }) : made("figure", item);
      made("img", place, { src: picture.source, alt: picture.caption && !chooses ? "" : picture.name });
      if (picture.caption) made(chooses ? "span" : "figcaption", place, { textContent: picture.caption });
      if (chooses)
        place.onclick = () => {
          props.value = picture.name;
          trigger("select");
        };
    }
  }
}
watch("rows", show);
show();
