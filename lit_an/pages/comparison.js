// Two pictures, one over the other, with a line between them that a slider moves. Props: before and after (URLs or "").
const root = element.querySelector(".comparison");
const slider = root.querySelector("input");
slider.addEventListener("input", () => root.style.setProperty("--line", `${slider.value}%`));

function show() {
  root.hidden = !props.after;
  for (const name of ["before", "after"]) {
    const image = root.querySelector(`.${name}`);
    if (props[name]) image.src = props[name];
    else image.removeAttribute("src");
  }
}
root.querySelector(".after").onload = ({ target }) =>
  root.style.setProperty("--shape", target.naturalWidth / target.naturalHeight);
watch(["before", "after"], show);
show();
