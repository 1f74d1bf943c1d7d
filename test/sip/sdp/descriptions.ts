/** Descriptions for tests, and what is made of them, in one line each. */
import { describeFlow } from "../../../src/model/flow.js";
import type { QualityNeed, QualityRange } from "../../../src/model/quality.js";
import { type FlowOptions, type FlowsResult, flowsOf, type MediaFlow } from "../../../src/sip/sdp/flows.js";
import { readSdp } from "../../../src/sip/sdp/reader.js";

export const CALLER = "198.51.100.1";
export const CALLEE = "203.0.113.9";

export const sdp = (address: string, ...lines: readonly string[]): string =>
  `v=0\r\no=- 1 1 IN IP4 x\r\ns=-\r\nc=IN ${address.includes(":") ? "IP6" : "IP4"} ${address}\r\nt=0 0\r\n${lines.map((l) => `${l}\r\n`).join("")}`;

export const read = (text: string) => readSdp(Buffer.from(text, "latin1"));

export const result = (offer: string, answer?: string, options?: FlowOptions): FlowsResult =>
  flowsOf(read(offer), answer === undefined ? undefined : read(answer), options);

export function flows(offer: string, answer?: string, options?: FlowOptions): readonly MediaFlow[] {
  const made = result(offer, answer, options);
  if (made.kind !== "flows") throw new Error(`${made.reason}: ${made.text}`);
  return made.flows;
}

/** `latency=40-80;rate=500`, in the units of a=sluice-need. */
export function needInWords(need: QualityNeed | undefined): string {
  const word = (name: string, range: QualityRange<number> | undefined, scale = 1): string[] => {
    if (range === undefined) return [];
    const worst = range.worst === range.wanted ? "" : `-${range.worst / scale}`;
    return [`${name}=${range.wanted / scale}${worst}`];
  };
  const { latency, jitter, loss, rate } = need ?? {};
  const words = [
    ...word("latency", latency),
    ...word("jitter", jitter),
    ...word("loss", loss),
    ...word("rate", rate, 1000),
  ];
  return words.length === 0 ? "-" : words.join(";");
}

/** `callee game-fps latency=40-80 500/200`: direction, class, need, bit/s in thousands wanted and at least. */
export function quality(flow: MediaFlow): string {
  const least = flow.least === undefined ? "" : `/${flow.least.rate / 1000}`;
  const closed = flow.gate === "open" ? "" : " closed";
  return `${flow.toward} ${flow.sessionClass ?? "-"} ${needInWords(flow.need)} ${flow.traffic.rate / 1000}${least}${closed}`;
}

export const keyOf = (flow: MediaFlow): string =>
  `${flow.toward} ${flow.component} ${flow.key === undefined ? "reserved" : describeFlow(flow.key)}`;

/** Lines of one data medium, after its m= unless that is among them; what begins with `S ` goes to the session. */
export type Lines = readonly string[];

const PLAIN = "m=application 4000 UDP game";
export const description = (address: string, lines: Lines): string => {
  const session = lines.filter((line) => line.startsWith("S ")).map((line) => line.slice(2));
  const medium = lines.filter((line) => !line.startsWith("S "));
  const media = medium.some((line) => line.startsWith("m=")) ? [] : [PLAIN];
  return sdp(address, ...session, ...media, ...medium);
};
