/** As much of SIP (RFC 3261) and SDP as a scripted player needs. */

export interface Message {
  readonly start: string;
  readonly lines: readonly string[];
  readonly body: string;
}

export function parse(octets: Buffer): Message {
  const [head = "", body = ""] = octets.toString("latin1").split("\r\n\r\n", 2);
  const [start = "", ...lines] = head.split("\r\n");
  return { start, lines, body };
}

/** Values of every line of that name. */
export const headers = ({ lines }: Message, name: string): readonly string[] =>
  lines.flatMap((line) => {
    const colon = line.indexOf(":");
    return line.slice(0, colon).toLowerCase() === name.toLowerCase() ? [line.slice(colon + 1).trim()] : [];
  });

export const header = (message: Message, name: string): string => headers(message, name)[0] ?? "";

const assemble = (lines: readonly string[], body: string): Buffer => {
  const type = body === "" ? [] : ["Content-Type: application/sdp"];
  return Buffer.from([...lines, ...type, `Content-Length: ${body.length}`, "", body].join("\r\n"), "latin1");
};

/** @param line - method and request URI */
export const request = (line: string, lines: readonly string[], body = ""): Buffer =>
  assemble([`${line} SIP/2.0`, ...lines], body);

/** RFC 3261 §8.2.6. */
export function responseTo(asked: Message, status: string, extra: readonly string[], body = ""): Buffer {
  const copied = ["Via", "From", "Call-ID", "CSeq"].flatMap((name) =>
    headers(asked, name).map((value) => `${name}: ${value}`),
  );
  const to = header(asked, "To");
  const tag = to.includes(";tag=") ? "" : `;tag=${header(asked, "Call-ID").slice(0, 8)}`;
  return assemble([`SIP/2.0 ${status}`, ...copied, `To: ${to}${tag}`, ...extra], body);
}

export interface Described {
  readonly address: string;
  readonly port: number;
  readonly isOffer: boolean;
  /** Absent: nothing is asked of the network. */
  readonly sessionClass?: string | undefined;
}

const FINGERPRINT = Array.from({ length: 32 }, () => "5A").join(":");

/** A data channel as a browser would describe it, with what the page's fast game asks for. */
export function description({ address, port, isOffer, sessionClass }: Described): string {
  const quality =
    sessionClass === undefined
      ? []
      : [
          `a=sluice-class:${sessionClass}`,
          "a=sluice-need:sendrecv latency=40-80;jitter=15-30;loss=0.005-0.02;rate=160-80",
          "a=sluice-security:dtls",
        ];
  const lines = [
    "v=0",
    `o=- 1 1 IN IP4 ${address}`,
    "s=-",
    `c=IN IP4 ${address}`,
    "t=0 0",
    `m=application ${port} UDP/DTLS/SCTP webrtc-datachannel`,
    `a=fingerprint:sha-256 ${FINGERPRINT}`,
    `a=setup:${isOffer ? "actpass" : "active"}`,
    "a=sctp-port:5000",
    ...quality,
  ];
  return lines.map((line) => `${line}\r\n`).join("");
}

export const mediaPort = (description: string): number => Number(/m=application (\d+)/.exec(description)?.[1]);
