/** Has tshark decode captures: the judge of what was on the wire is a program not written here. */
import { execa } from "execa";
import type { LadderHost } from "../model/ladder.js";
import { type Layers, messagesOf, type WireMessage } from "./wire-message.js";

/** A pcap file, and the host that it was taken on. */
export interface HostCapture {
  readonly host: LadderHost;
  readonly path: string;
}

const DECODE_AS = ["-d", "tcp.port==5045,http"];
const MAX_OUTPUT_OCTETS = 256 * 1024 * 1024;

/** What tshark says of a message that is not as its RFC wants it. */
const MALFORMED = [
  "_ws.malformed",
  "cops.pepid.not_null",
  "cops.trailing_garbage",
  "cops.bad_cops_object_length",
  "cops.bad_cops_pr_object_length",
  "cops.unknown_c_num",
].join(" || ");

async function tshark(path: string, args: readonly string[]): Promise<string> {
  // `-n`: no name look-ups. Output is bounded, so a huge capture fails instead of filling the memory.
  const { stdout } = await execa("tshark", ["-n", "-r", path, ...DECODE_AS, ...args], {
    maxBuffer: MAX_OUTPUT_OCTETS,
    stderr: "ignore",
  });
  return stdout;
}

/**
 * The COPS, OSP and SIP messages of a session, in the order of sending. Each message crosses two captures
 * or more; the sender's counts. A host without a capture of its own (a router) is believed wherever it is seen.
 */
export async function wireMessages(captures: readonly HostCapture[]): Promise<readonly WireMessage[]> {
  const hosts = new Set(captures.map(({ host }) => host));
  const found: WireMessage[] = [];
  for (const { host, path } of captures) {
    const messages = (await decode(path)).flatMap(messagesOf);
    found.push(...messages.filter(({ from }) => from === host || !hosts.has(from)));
  }
  return found.sort((left, right) => left.at - right.at);
}

interface DecodedFrame {
  readonly _source: { readonly layers: Layers };
}

async function decode(path: string): Promise<readonly Layers[]> {
  const layers = "frame ip ipv6 cops http data-text-lines xml sip";
  const json = await tshark(path, ["-Y", "cops || http || sip", "-T", "json", "--no-duplicate-keys", "-J", layers]);
  const frames = (json.trim() === "" ? [] : JSON.parse(json)) as readonly DecodedFrame[];
  return frames.map(({ _source }) => _source.layers);
}

/** One line for each malformed message in a capture; none is what every test wants. */
export async function malformed(path: string): Promise<readonly string[]> {
  const columns = ["frame.number", "_ws.col.Protocol", "_ws.col.Info"].flatMap((field) => ["-e", field]);
  const text = await tshark(path, ["-Y", MALFORMED, "-T", "fields", ...columns]);
  return text.split("\n").filter((line) => line !== "");
}
