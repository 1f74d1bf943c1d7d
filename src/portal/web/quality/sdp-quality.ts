/** The `sluice-` attributes of a session description, written and read. Pure: text in, text out (docs/SDP.md, RFC 8866 §5). */
import type { MediumKind, MediumQuality, NeedRange, Needs, Parameter, Security, SessionQuality } from "./needs.js";
import { MEDIUM_KINDS, PARAMETERS, SECURITY_LEVELS } from "./needs.js";

const DIRECTIONS = ["send", "recv", "sendrecv"] as const;
type Direction = (typeof DIRECTIONS)[number];

/** Descriptions come from the other side of the network: what is longer is not read. */
const SDP_MAX = 65_536;

/**
 * Adds to each m= section what is said of its kind of medium; lines of this kind that were there go. Lines end in CRLF.
 */
export function writeQuality(sdp: string, quality: SessionQuality): string {
  const { session, media } = sectionsOf(sdp);
  const written = media.map((section) => {
    const kind = kindOf(section);
    const said = kind === undefined ? undefined : quality[kind];
    return [...withoutQuality(section), ...(said === undefined ? [] : linesOf(said))];
  });
  return [...withoutQuality(session), ...written.flat(), ""].join("\r\n");
}

/** What a description says of each kind of medium that it has and does not refuse (port 0); the first m= line of a kind counts. */
export function readQuality(sdp: string): SessionQuality {
  if (sdp.length > SDP_MAX) return {};
  const { session, media } = sectionsOf(sdp);
  const defaults = mediumOf(session);
  const found: Partial<Record<MediumKind, MediumQuality>> = {};
  for (const section of media) {
    const kind = kindOf(section);
    if (kind === undefined || found[kind] !== undefined || isRefused(section)) continue;
    const medium = { ...defaults, ...mediumOf(section) };
    if (Object.keys(medium).length > 0) found[kind] = medium;
  }
  return found;
}

/** The kinds of medium that a description offers or accepts, in the order of their m= lines. */
export function mediaOf(sdp: string): readonly MediumKind[] {
  const { media } = sectionsOf(sdp);
  return media.flatMap((section) => (isRefused(section) ? [] : (kindOf(section) ?? [])));
}

/** Whether every host candidate hides its address behind a name (mDNS): no router can find such a flow. */
export function hidesAddresses(sdp: string): boolean {
  const candidates = sdp.match(/^a=candidate:.*$/gm) ?? [];
  return candidates.length > 0 && candidates.every((line) => / \S+\.local /.test(line));
}

interface Sections {
  readonly session: readonly string[];
  readonly media: readonly (readonly string[])[];
}

function sectionsOf(sdp: string): Sections {
  const session: string[] = [];
  const media: string[][] = [];
  for (const line of sdp.split(/\r\n|\n/)) {
    if (line === "") continue;
    if (line.startsWith("m=")) media.push([]);
    (media.at(-1) ?? session).push(line);
  }
  return { session, media };
}

const withoutQuality = (lines: readonly string[]): readonly string[] =>
  lines.filter((line) => !/^a=sluice-(?:class|need|security):/.test(line));

/** RFC 3264 §6; in a bundle an offer has port 0 without meaning it (RFC 9143 §6). */
const isRefused = (section: readonly string[]): boolean =>
  section[0]?.split(" ")[1] === "0" && !section.includes("a=bundle-only");

function kindOf([line = ""]: readonly string[]): MediumKind | undefined {
  const name = line.slice(2, line.indexOf(" "));
  return MEDIUM_KINDS.find((kind) => kind === name);
}

function linesOf({ sessionClass, security, send, recv }: MediumQuality): readonly string[] {
  const lines: string[] = [];
  if (sessionClass !== undefined) lines.push(`a=sluice-class:${sessionClass}`);
  const sent = send === undefined ? "" : needText(send);
  const received = recv === undefined ? "" : needText(recv);
  if (sent !== "" && sent === received) lines.push(`a=sluice-need:sendrecv ${sent}`);
  else {
    if (sent !== "") lines.push(`a=sluice-need:send ${sent}`);
    if (received !== "") lines.push(`a=sluice-need:recv ${received}`);
  }
  if (security !== undefined) lines.push(`a=sluice-security:${security}`);
  return lines;
}

const needText = (needs: Needs): string =>
  PARAMETERS.flatMap((name) => {
    const range = needs[name];
    return range === undefined ? [] : [`${name}=${rangeText(name, range)}`];
  }).join(";");

function rangeText(name: Parameter, { wanted, worst }: NeedRange): string {
  const [first, second] = [valueText(name, wanted), valueText(name, worst)];
  return first === second ? first : `${first}-${second}`;
}

/** Whole kbit/s, thousandths of a ms, and of loss as many digits as may be there; never an exponent. */
function valueText(name: Parameter, value: number): string {
  if (name === "rate") return String(Math.round(value));
  if (name !== "loss") return String(Math.round(value * 1000) / 1000);
  return Math.min(1, Math.max(0, value))
    .toFixed(12)
    .replace(/\.?0+$/, "");
}

function mediumOf(lines: readonly string[]): MediumQuality {
  let medium: MediumQuality = {};
  for (const line of lines) {
    const match = /^a=sluice-(class|need|security):(.*)$/.exec(line);
    if (match !== null) medium = { ...medium, ...readAttribute(match[1] ?? "", match[2] ?? "") };
  }
  return medium;
}

function readAttribute(name: string, value: string): MediumQuality {
  if (name === "class") {
    const token = /^[!#$%&'*+\-.^_`{|}~0-9A-Za-z]{1,64}/.exec(value)?.[0];
    return token === undefined ? {} : { sessionClass: token };
  }
  if (name === "security") {
    const security = SECURITY_LEVELS.find((level): level is Security => level === value.trim());
    return security === undefined ? {} : { security };
  }
  const [word = "", rest = ""] = value.split(" ");
  const direction = DIRECTIONS.find((known): known is Direction => known === word);
  const needs = readNeeds(rest);
  if (direction === undefined || Object.keys(needs).length === 0) return {};
  return {
    ...(direction === "recv" ? {} : { send: needs }),
    ...(direction === "send" ? {} : { recv: needs }),
  };
}

function readNeeds(text: string): Needs {
  const needs: Partial<Record<Parameter, NeedRange>> = {};
  for (const part of text.split(";").slice(0, 16)) {
    const match = /^(latency|jitter|loss|rate)=(\d{1,8}(?:\.\d{1,12})?)(?:-(\d{1,8}(?:\.\d{1,12})?))?$/.exec(part);
    if (match === null) continue;
    const wanted = Number(match[2]);
    needs[match[1] as Parameter] = { wanted, worst: match[3] === undefined ? wanted : Number(match[3]) };
  }
  return needs;
}
