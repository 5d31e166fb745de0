// The scrubber and the play button, which decide on the picture that the views show.

const PICTURES_A_SECOND = 10;

function playerOf(sequence, row, onFrame) {
  const { pictures } = sequence;
  const read = pictureReader(pictures);
  const views = viewsOf(sequence, row.has_truth);
  const last = pictures.length - 1;
  let [position, timer] = [0, null];

  const range = element("input", { type: "range", min: 0, max: last, value: 0, step: 1,
    "aria-label": "Frame", oninput: () => moveTo(Number(range.value)) });
  const opacity = element("input", { type: "range", min: 0, max: 100, value: 55, step: 5,
    "aria-label": "Opacity of masks", class: "opacity", oninput: () => moveTo(position) });
  const play = element("button", { type: "button", class: "play", onclick: toggle });
  const place = element("output", { class: "place", "aria-live": "off" });
  const view = element("section", { class: "player", "aria-label": "Pictures" },
    element("div", { class: "views" }, ...views.figures),
    element("div", { class: "controls" }, play, range, place),
    element("div", { class: "line-up small" }, views.legend,
      element("label", {}, "mask opacity ", opacity)),
    element("p", { class: "note" },
      `Pictures of ${whole(pictures.length)} of ${plural(row.num_finished, "frame")} with masks.`));

  async function moveTo(target) {
    position = Math.min(last, Math.max(0, target));
    const picture = pictures[position];
    range.value = position;
    const words = `${picture.name} · frame ${picture.frame + 1} of ${sequence.num_frames}`;
    range.setAttribute("aria-valuetext", words);
    place.textContent = words;
    onFrame(picture.frame);
    const decoded = await read(position);
    // Others may have been asked for while this one was decoded.
    if (pictures[position] !== picture) return;
    views.show(decoded, Number(opacity.value) / 100);
    view.dataset.shown = picture.frame;
  }

  function moveToFrame(frame) {
    const distances = pictures.map((picture) => Math.abs(picture.frame - frame));
    pause();
    moveTo(distances.indexOf(Math.min(...distances)));
  }

  async function tick() {
    const [own, due] = [timer, performance.now() + 1000 / PICTURES_A_SECOND];
    await moveTo(position + 1);
    // Pause, or pause and play, may have been pressed while the picture was decoded.
    if (timer !== own) return;
    if (position === last) pause();
    else timer = setTimeout(tick, Math.max(0, due - performance.now()));
  }

  function setPlaying(isPlaying) {
    play.textContent = isPlaying ? "❚❚" : "▶\ufe0e"; // as text, not as an emoji
    play.setAttribute("aria-label", isPlaying ? "Pause" : "Play");
  }

  function pause() {
    clearTimeout(timer);
    timer = null;
    setPlaying(false);
  }

  function toggle() {
    if (timer !== null) return pause();
    if (position === last) moveTo(0);
    setPlaying(true);
    timer = setTimeout(tick, 1000 / PICTURES_A_SECOND);
  }

  function onKey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.target.closest(event.key === " " ? "button, summary" : "input, .scroll")) return;
    const moves = { ArrowLeft: position - 1, ArrowRight: position + 1, Home: 0, End: last };
    if (event.key === " ") toggle();
    else if (event.key in moves) moveTo(moves[event.key]);
    else return;
    event.preventDefault();
  }

  setPlaying(false);
  return { view, moveToFrame, onKey, pause,
    start: (frame) => (Number.isFinite(frame) ? moveToFrame(frame) : moveTo(0)) };
}
