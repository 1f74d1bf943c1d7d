/** A call: sound and picture of the other side, muting, and what the connection gives. */
import { button, el, setText } from "../dom/element.js";
import { formatMillis, formatRate, formatShare } from "../dom/format.js";
import { createLinePlot } from "../plot/line-plot.js";
import { Series } from "../plot/series.js";
import type { SipCall } from "../sip/sip-call.js";
import { type CallCounters, countersOf, figuresOf } from "./call-stats.js";

const READ_EVERY = 1000;
const SPAN = 60_000;

export interface CallPanel {
  readonly element: HTMLElement;
  dispose(): void;
}

/** Plays what comes in, and reads once a second what the connection gives. */
export function callPanel(call: SipCall): CallPanel {
  const hasVideo = call.live.value.media.includes("video");
  const pictures = createPictures(call, hasVideo);
  const figures = createFigures(call);
  const timer = window.setInterval(() => void figures.read(), READ_EVERY);
  return {
    element: el(
      "section",
      { class: "card call", "aria-labelledby": "call-title" },
      el("h2", { id: "call-title" }, hasVideo ? "Video call" : "Audio call"),
      pictures.element,
      el("div", { class: "actions" }, muteButton(call, "audio"), hasVideo && muteButton(call, "video")),
      figures.text,
      figures.plot,
    ),
    dispose: () => {
      window.clearInterval(timer);
      pictures.dispose();
    },
  };
}

function createPictures(call: SipCall, hasVideo: boolean): CallPanel {
  const remote = hasVideo
    ? el("video", { autoplay: true, playsinline: true, "aria-label": `Picture of ${call.live.value.peer}` })
    : el("audio", { autoplay: true });
  const own = el("video", { autoplay: true, playsinline: true, class: "own", "aria-label": "Your own picture" });
  own.muted = true;
  own.hidden = !hasVideo;
  const unsubscribe = call.media.subscribe((media) => {
    if (remote.srcObject !== media.remote) remote.srcObject = media.remote;
    if (media.local !== undefined && own.srcObject !== media.local) own.srcObject = media.local;
  });
  return {
    element: el("div", { class: "pictures" }, remote, own),
    dispose: () => {
      unsubscribe();
      remote.srcObject = null;
      own.srcObject = null;
    },
  };
}

interface CallFiguresView {
  readonly text: HTMLElement;
  readonly plot: HTMLElement;
  read(): Promise<void>;
}

function createFigures(call: SipCall): CallFiguresView {
  const roundTrip = new Series(SPAN);
  const jitter = new Series(SPAN);
  const plot = createLinePlot({
    title: "Round trip and jitter",
    span: SPAN,
    atLeast: 20,
    format: formatMillis,
    lines: [
      { label: "Round trip", look: "assured", series: roundTrip },
      { label: "Jitter", look: "third", series: jitter },
    ],
  });
  const text = el("p", { class: "figures" });
  let before: CallCounters | undefined;
  const read = async (): Promise<void> => {
    const { peer } = call;
    if (peer === undefined) return;
    const reports = [...(await peer.getStats()).values()];
    const at = performance.now();
    const counters = countersOf(reports, at);
    const now = figuresOf(reports, counters, before);
    before = counters;
    roundTrip.add(at, now.roundTrip);
    jitter.add(at, now.jitter);
    plot.draw(at);
    const rates = `${formatRate(now.rateIn ?? 0)} in, ${formatRate(now.rateOut ?? 0)} out`;
    setText(text, `${rates}, loss ${formatShare(now.loss)}`);
  };
  return { text, plot: plot.element, read };
}

function muteButton(call: SipCall, kind: "audio" | "video"): HTMLButtonElement {
  const what = kind === "audio" ? "microphone" : "camera";
  const element = button(`Mute ${what}`, () => {
    const tracks = call.media.value.local?.getTracks().filter((track) => track.kind === kind) ?? [];
    const isMuted = element.getAttribute("aria-pressed") === "true";
    for (const track of tracks) track.enabled = isMuted;
    element.setAttribute("aria-pressed", String(!isMuted));
  });
  element.setAttribute("aria-pressed", "false");
  return element;
}
