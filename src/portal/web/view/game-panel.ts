/** The game of a session: field, keys, and what its channel gives beside one that nothing was reserved for. */
import { button, el, setText } from "../dom/element.js";
import { formatMillis, formatShare } from "../dom/format.js";
import { BestEffort, type BestEffortState } from "../game/best-effort.js";
import { coloursOf, draw } from "../game/drawing.js";
import { Duel } from "../game/duel.js";
import { type Figures, MEASURES, type Measure } from "../game/figures.js";
import { publishHook, withdrawHook } from "../game/hook.js";
import { Keys } from "../game/keys.js";
import { createLinePlot, type LinePlot } from "../plot/line-plot.js";
import { Series } from "../plot/series.js";
import type { DataChannels } from "../sip/description-handler.js";
import type { SipCall } from "../sip/sip-call.js";

/** Figures and plots; whoever wants less motion gets it. */
const READ_EVERY = 500;
const READ_CALMLY_EVERY = 2000;
const TICK_EVERY = 8;
const SPAN = 60_000;

export interface GamePanel {
  readonly element: HTMLElement;
  dispose(): void;
}

/** Plays from the moment that its channel is open. */
export function gamePanel(call: SipCall, channels: DataChannels, stun: readonly string[]): GamePanel {
  const keys = new Keys();
  const live = call.live.value;
  const sessionClass = live.offered.application?.sessionClass;
  const duel = new Duel({
    channel: channels.fast,
    side: live.isCaller ? "left" : "right",
    callId: live.callId,
    stepsBetween: sessionClass === "game-rts" ? 3 : 1,
    granted: () => call.grantedRate(Math.max(0, live.media.indexOf("application"))),
    input: () => keys.input,
    now: () => performance.now(),
  });
  const canvas = createField(keys);
  const effort = createEffort(channels, stun, live.isCaller);
  const lines = createPlots();
  const status = el("p", { class: "quiet figures" });
  const score = el("p", { class: "unseen", role: "status", "aria-live": "polite" });
  const element = el(
    "section",
    { class: "card game", "aria-labelledby": "game-title" },
    el("h2", { id: "game-title" }, "Duel"),
    el(
      "p",
      { id: "game-keys" },
      "Give the field the focus, then move with the arrow keys or W and S; Shift is faster.",
    ),
    canvas,
    score,
    touchKeys(keys),
    status,
    effort.control,
    el("div", { class: "plots" }, ...lines.plots.map((plot) => plot.element)),
  );
  const stop = run({ duel, effort, canvas, lines, status, score });
  publishHook({ duel, keys, best: effort.best, latest: lines.latest });
  return {
    element,
    dispose: () => {
      stop();
      effort.best.stop();
      withdrawHook();
    },
  };
}

function createField(keys: Keys): HTMLCanvasElement {
  const attributes = { width: 1280, height: 720, tabindex: 0, role: "img", "aria-describedby": "game-keys" };
  const canvas = el("canvas", { ...attributes, "aria-label": "The field of the duel", class: "field-canvas" });
  keys.attach(canvas);
  return canvas;
}

function touchKeys(keys: Keys): HTMLElement {
  const make = (label: string, press: "up" | "down"): HTMLButtonElement => {
    const element = button(label, () => undefined);
    const hold = (isDown: boolean) => () => keys.hold(press, isDown);
    element.addEventListener("pointerdown", hold(true));
    for (const type of ["pointerup", "pointerleave", "pointercancel"]) element.addEventListener(type, hold(false));
    return element;
  };
  return el("div", { class: "actions touch" }, make("Up", "up"), make("Down", "down"));
}

const EFFORT_STATES: Readonly<Record<BestEffortState, string>> = {
  off: "",
  new: "connecting",
  connecting: "connecting",
  connected: "",
  disconnected: "nothing comes through",
  failed: "the connection failed, it is opened again",
  closed: "",
};

interface Effort {
  readonly best: BestEffort;
  readonly control: HTMLElement;
}

function createEffort({ sure }: DataChannels, stun: readonly string[], isCaller: boolean): Effort {
  const box = el("input", { type: "checkbox", id: "best-effort" });
  const status = el("span", { role: "status", class: "quiet" });
  const onState = (state: BestEffortState): void => {
    box.checked = state !== "off";
    setText(status, EFFORT_STATES[state]);
  };
  const best = new BestEffort({ sure, stun, isCaller, onState });
  box.addEventListener("change", () => {
    if (box.checked) best.start().catch(() => best.stop());
    else best.stop();
  });
  const label = el("label", { for: "best-effort" }, "Compare with a second connection for which nothing is reserved");
  return { best, control: el("div", { class: "check" }, box, label, status) };
}

interface Plots {
  readonly plots: readonly LinePlot[];
  readonly assured: Readonly<Record<Measure, Series>>;
  readonly effort: Readonly<Record<Measure, Series>>;
  readonly latest: () => Figures;
}

const newSeries = (): Record<Measure, Series> => ({
  roundTrip: new Series(SPAN),
  jitter: new Series(SPAN),
  lossIn: new Series(SPAN),
});

function createPlots(): Plots {
  const [assured, effort] = [newSeries(), newSeries()];
  const plot = (
    title: string,
    name: Measure,
    atLeast: number,
    format: (value: number | undefined) => string,
  ): LinePlot =>
    createLinePlot({
      title,
      span: SPAN,
      atLeast,
      format,
      lines: [
        { label: "Assured", look: "assured", series: assured[name], without: () => withoutFigure(name, assured) },
        { label: "Best effort", look: "effort", series: effort[name], without: () => withoutFigure(name, effort) },
      ],
    });
  const values = (of: Record<Measure, Series>): Record<Measure, number | undefined> => ({
    roundTrip: of.roundTrip.latest,
    jitter: of.jitter.latest,
    lossIn: of.lossIn.latest,
  });
  return {
    plots: [
      plot("Round trip", "roundTrip", 20, formatMillis),
      plot("Jitter", "jitter", 5, formatMillis),
      plot("Loss towards here", "lossIn", 0.02, formatShare),
    ],
    assured,
    effort,
    latest: () => ({ assured: values(assured), bestEffort: values(effort) }),
  };
}

const withoutFigure = (name: Measure, { lossIn }: Record<Measure, Series>): string =>
  name === "roundTrip" && lossIn.latest === 1 ? "none back" : "–";

interface Running {
  readonly duel: Duel;
  readonly effort: Effort;
  readonly canvas: HTMLCanvasElement;
  readonly lines: Plots;
  readonly status: HTMLElement;
  readonly score: HTMLElement;
}

/** Steps by a timer, because pictures are not drawn where nobody looks; pictures as the screen wants them. */
function run({ duel, effort, canvas, lines, status, score }: Running): () => void {
  const context = canvas.getContext("2d");
  let sentAt = 0;
  let frame = 0;
  const tick = window.setInterval(() => {
    duel.tick();
    const now = performance.now();
    if (now - sentAt < 1000 / duel.packetRate) return;
    sentAt = Math.max(sentAt + 1000 / duel.packetRate, now - 50);
    effort.best.send();
  }, TICK_EVERY);
  const show = (): void => {
    if (context !== null) draw(context, duel.state, duel.side === "left", coloursOf(canvas));
    frame = requestAnimationFrame(show);
  };
  const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const read = window.setInterval(
    () => {
      const now = performance.now();
      record(lines.assured, now, duel.read());
      record(lines.effort, now, effort.best.read());
      for (const plot of lines.plots) plot.draw(now);
      const { corrections, correctedFrames, stalls, diverged } = duel.counters;
      const lost = diverged ? " The two sides disagree: start again." : "";
      setText(
        status,
        `${duel.packetRate} packets a second; ${duel.guessed} steps guessed, ${correctedFrames} done again in ${corrections} corrections, ${stalls} waited for.${lost}`,
      );
      const { scoreLeft, scoreRight } = duel.state;
      const [own, other] = duel.side === "left" ? [scoreLeft, scoreRight] : [scoreRight, scoreLeft];
      setText(score, `You ${own}, they ${other}`);
    },
    isCalm ? READ_CALMLY_EVERY : READ_EVERY,
  );
  show();
  return () => {
    window.clearInterval(tick);
    window.clearInterval(read);
    cancelAnimationFrame(frame);
  };
}

function record(series: Record<Measure, Series>, now: number, figures: Partial<Record<Measure, number>>): void {
  for (const name of MEASURES) series[name].add(now, figures[name]);
}
