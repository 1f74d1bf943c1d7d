/** The INVITE and the 200 of a session of many media: whole messages, with whole descriptions. */

export const MEDIA = 16;

/** Descriptions of one kind of session. */
export interface Exchange {
  readonly offer: string;
  readonly answer: string;
}

/** Of the n-th medium, as agents name it. */
export const className = (nth: number): string => `game-${nth}`;

export const CALLER = { address: "198.51.100.1", aor: "alice@a.example" } as const;
export const CALLEE = { address: "203.0.113.9", aor: "bob@b.example" } as const;

const CLASS = ["a=sluice-class:CLASS format=binary-v1", "a=sluice-security:none"];
const OFFERED = [
  ...CLASS,
  "a=sluice-need:send latency=40-80;jitter=10-20;loss=0.001-0.01;rate=256-128",
  "a=sluice-need:recv latency=40-80;jitter=10-20;loss=0.001-0.01;rate=512-256",
];
const ANSWERED = [
  ...CLASS,
  "a=sluice-need:recv latency=60-80;jitter=10-20;loss=0.001-0.01;rate=256-128",
  "a=sluice-need:send latency=40-80;jitter=5-20;loss=0.001-0.01;rate=384-256",
];

function description(address: string, quality: readonly string[]): string {
  const media = Array.from({ length: MEDIA }, (_, nth) => [
    `m=application ${4000 + nth} UDP game`,
    ...quality.map((line) => line.replace("CLASS", className(nth))),
  ]);
  const lines = ["v=0", "o=- 1 1 IN IP4 x", "s=-", `c=IN IP4 ${address}`, "t=0 0", ...media.flat()];
  return lines.map((line) => `${line}\r\n`).join("");
}

const exchange = (offered: readonly string[], answered: readonly string[]): Exchange => ({
  offer: description(CALLER.address, offered),
  answer: description(CALLEE.address, answered),
});

/** Four attributes for each medium. */
export const NEGOTIATED = exchange(OFFERED, ANSWERED);
/** The same without any attribute. */
export const PLAIN = exchange([], []);
/** Of one description. */
export const ATTRIBUTES = MEDIA * OFFERED.length;

const assemble = (start: string, head: readonly string[], body: string): Buffer =>
  Buffer.from(
    [start, ...head, "Content-Type: application/sdp", `Content-Length: ${body.length}`, "", body].join("\r\n"),
    "latin1",
  );

interface Dialog {
  readonly callId: string;
  /** Address of record. */
  readonly caller: string;
}

const dialogHead = ({ callId, caller }: Dialog): readonly string[] => [
  `Via: SIP/2.0/UDP ${CALLER.address}:5060;branch=z9hG4bK${callId};rport`,
  `From: <sip:${caller}>;tag=${callId}`,
  `Call-ID: ${callId}`,
  "CSeq: 1 INVITE",
  "User-Agent: game/1.0",
];

export const inviteOf = (dialog: Dialog, { offer }: Exchange): Buffer =>
  assemble(
    `INVITE sip:${CALLEE.aor} SIP/2.0`,
    [
      ...dialogHead(dialog),
      "Max-Forwards: 70",
      `To: <sip:${CALLEE.aor}>`,
      `Contact: <sip:alice@${CALLER.address}:5060>`,
      "Allow: INVITE, ACK, CANCEL, BYE, UPDATE",
      "Supported: timer",
    ],
    offer,
  );

export const okOf = (dialog: Dialog, { answer }: Exchange): Buffer =>
  assemble(
    "SIP/2.0 200 OK",
    [
      ...dialogHead(dialog),
      "Record-Route: <sip:10.3.0.5;lr>",
      "Record-Route: <sip:10.1.0.5;lr>",
      `To: <sip:${CALLEE.aor}>;tag=callee`,
      `Contact: <sip:bob@${CALLEE.address}:5060>`,
    ],
    answer,
  );
