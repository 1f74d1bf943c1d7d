/** INVITEs that no ordinary telephone or proxy would send, from the caller's network. */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { sessionIdOf } from "../../../src/model/session.js";
import { ROOT } from "./root.js";
import type { TestLab } from "./test-lab.js";

const ADDRESS = "10.1.0.10";
const PORT = 5070;

/** The caller's telephone, and the machine of its proxy: another proxy believes its address. */
const SENDERS = { uac: ADDRESS, sip1: "10.1.0.5" } as const;

export const SIP1 = { address: "10.1.0.5", port: 5060 };
export const SIP2 = { address: "10.3.0.5", port: 5060 };

export interface InviteWish {
  /** The caller's telephone if it is not said. */
  readonly sender?: keyof typeof SENDERS;
  /** Lines of the media and connection part. */
  readonly sdp?: readonly string[];
  readonly headers?: readonly string[];
  readonly callId?: string;
  readonly fromTag?: string;
}

export interface ProbeAnswer {
  readonly session: string;
  readonly status: number;
  readonly phrase: string;
  readonly warning: string;
}

export const AUDIO = [`c=IN IP4 ${ADDRESS}`, "t=0 0", "m=audio 6000 RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=ptime:20"];

/** Sends an INVITE to a proxy, and waits for the final answer. */
export async function probe(lab: TestLab, to: typeof SIP1, wish: InviteWish): Promise<ProbeAnswer> {
  const { sender = "uac", sdp = AUDIO, headers = [], callId = `${random()}@probe`, fromTag = random() } = wish;
  const address = SENDERS[sender];
  const body = ["v=0", `o=- 1 1 IN IP4 ${ADDRESS}`, "s=-", ...sdp, ""].join("\r\n");
  const message = [
    "INVITE sip:bob@b.example SIP/2.0",
    `Via: SIP/2.0/UDP ${address}:${PORT};branch=z9hG4bK${random()}`,
    "Max-Forwards: 70",
    `From: <sip:alice@a.example>;tag=${fromTag}`,
    "To: <sip:bob@b.example>",
    `Call-ID: ${callId}`,
    "CSeq: 1 INVITE",
    `Contact: <sip:alice@${address}:${PORT}>`,
    ...headers,
    "Content-Type: application/sdp",
    `Content-Length: ${body.length}`,
    "",
    body,
  ].join("\r\n");
  const wanted = JSON.stringify({ address, port: PORT, to, message, patience: 8000 });
  const output = await lab.lab.exec(sender, ["node", join(ROOT, "test/lab/support/probe.mjs"), wanted]);
  const final = (JSON.parse(output.trim().split("\n").at(-1) ?? '""') as string).split("\r\n");
  const warning = final.find((line) => line.startsWith("Warning:"))?.slice("Warning: ".length) ?? "";
  const [, status, ...phrase] = final[0]?.split(" ") ?? [];
  return { session: sessionIdOf(callId, fromTag), status: Number(status), phrase: phrase.join(" "), warning };
}

const random = (): string => randomBytes(8).toString("hex");

/** The value of a header in a message as it was on the wire. */
export const headerOf = (text: string, name: string): string | undefined =>
  text
    .split("\r\n")
    .find((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}:`))
    ?.slice(name.length + 1)
    .trim();
