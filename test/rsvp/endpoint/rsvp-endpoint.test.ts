import { describe, expect, it } from "vitest";
import { encodePacket } from "../../../src/rsvp/codec/encode.js";
import type { SessionMessage } from "../../../src/rsvp/codec/message.js";
import { rsvpKey, type SecurityAssociation } from "../../../src/rsvp/security/keys.js";
import { path, pathTear, resv } from "./messages.js";
import { A, B, Pair } from "./pair.js";

/** A session whose receiver is behind b. */
const FAR = "198.51.100.9";
const PATH = path({ from: A, to: FAR });
const AS_PATH = { destination: FAR, source: A, routerAlert: true, ttl: 60 };
const RESV = resv({ from: A, to: FAR, hop: B });

const kinds = (messages: readonly SessionMessage[]): string[] => messages.map(({ kind }) => kind);
const count = (words: readonly string[], word: string): number => words.filter((one) => one === word).length;

describe("an RSVP endpoint", () => {
  it("delivers messages with interface, source and TTL, and has them acknowledged", async () => {
    const pair = new Pair();
    const [a, b] = [await pair.side("a"), await pair.side("b")];
    a.send(PATH, AS_PATH);
    await pair.clock.pass(100);
    expect(b.messages).toEqual([PATH]);
    expect(b.arrivals).toEqual([{ interface: "b0", source: A, ttl: 60, sendTtl: 60 }]);
    expect(pair.take()).toEqual(["a Path", "b Ack"]);
    await pair.clock.pass(10_000);
    expect(pair.take()).toEqual([]);
  });

  it("lets acknowledgements ride in a message that goes there anyhow", async () => {
    const pair = new Pair();
    const [a, b] = [await pair.side("a"), await pair.side("b")];
    a.send(PATH, AS_PATH);
    await pair.clock.pass(1);
    b.send(RESV);
    await pair.clock.pass(1);
    expect(pair.seen.at(-1)?.packet).toMatchObject({ acks: [{ kind: "ack" }], message: { kind: "Resv" } });
    await pair.clock.pass(1000);
    expect(pair.take()).toEqual(["a Path", "b Resv", "a Ack"]);
  });

  it("sends again what got lost, and b handles it once", async () => {
    const pair = new Pair();
    const [a, b] = [await pair.side("a"), await pair.side("b")];
    let lost = 2;
    pair.fate = () => (lost-- > 0 ? [] : [5, 20]);
    a.send(PATH, AS_PATH);
    await pair.clock.pass(2000);
    expect(b.messages.length).toBeGreaterThan(0);
    expect(b.endpoint.counters.get("new")).toBe(1);
    expect(count(pair.take(), "a Path")).toBe(3);
  });

  it("refreshes by Srefresh, with Router Alert as the Path had it; a restarted b asks for the whole", async () => {
    const pair = new Pair();
    const a = await pair.side("a");
    let b = await pair.side("b");
    for (const codePoint of [46, 34, 26]) a.send(path({ from: A, to: FAR, codePoint }), AS_PATH);
    await pair.clock.pass(1000);
    expect(count(pair.take(), "a Path")).toBe(3);
    for (const codePoint of [46, 34, 26]) a.send(path({ from: A, to: FAR, codePoint }), AS_PATH);
    await pair.clock.pass(1000);
    const { datagram } = pair.seen[0]!;
    expect(datagram).toMatchObject({ destination: FAR, routerAlert: 0, source: A });
    expect(pair.take()).toEqual(["a Srefresh"]);
    expect(b.messages).toHaveLength(6);

    await b.endpoint.close();
    b = await pair.side("b", [], 2);
    for (const codePoint of [46, 34, 26]) a.send(path({ from: A, to: FAR, codePoint }), AS_PATH);
    await pair.clock.pass(2000);
    expect(count(pair.take(), "a Path")).toBe(3);
    expect(b.messages).toHaveLength(3);
  });

  it("§4.2 of RFC 2961: counts a neighbour that has started again once", async () => {
    const pair = new Pair();
    let a = await pair.side("a");
    const b = await pair.side("b");
    a.send(PATH, AS_PATH);
    await pair.clock.pass(1000);
    expect(b.endpoint.counters.get("restarts")).toBe(0);
    await a.endpoint.close();
    a = await pair.side("a", [], 2);
    for (const codePoint of [46, 34]) a.send(path({ from: A, to: FAR, codePoint }), AS_PATH);
    await pair.clock.pass(1000);
    expect([b.endpoint.counters.get("restarts"), a.endpoint.counters.get("restarts")]).toEqual([1, 0]);
  });

  it("ends a state with its tear, and reports none of it twice", async () => {
    const pair = new Pair();
    const [a, b] = [await pair.side("a"), await pair.side("b")];
    pair.fate = () => [1, 3];
    a.send(PATH, AS_PATH);
    await pair.clock.pass(100);
    a.send(pathTear({ from: A, to: FAR }), AS_PATH);
    await pair.clock.pass(1000);
    expect(count(kinds(b.messages), "PathTear")).toBe(1);
    expect(b.endpoint.counters.get("repeat")).toBeGreaterThan(0);
  });

  it("bundles what goes to one neighbour that is known to read Bundles", async () => {
    const pair = new Pair();
    const [a, b] = [await pair.side("a"), await pair.side("b")];
    b.send(RESV);
    await pair.clock.pass(100);
    pair.take();
    for (const codePoint of [46, 34, 26]) a.send(resv({ from: B, to: "203.0.113.1", hop: A, codePoint }));
    await pair.clock.pass(1);
    expect(pair.take()).toEqual(["a Bundle"]);
    expect(kinds(b.messages)).toEqual(["Resv", "Resv", "Resv"]);
  });

  it("does without MESSAGE_ID when the neighbour rejects it (RFC 2961 §4.8)", async () => {
    const pair = new Pair();
    const a = await pair.side("a");
    a.send(PATH, AS_PATH);
    await pair.clock.pass(1);
    const error = { node: B, flags: 0, code: 13, value: (23 << 8) | 1 };
    const message = {
      kind: "PathErr",
      session: PATH.session,
      error,
      policy: [],
      sender: PATH.sender,
      unknown: [],
    } as const;
    const octets = encodePacket({ sendTtl: 64, refreshReduction: false, acks: [], message });
    const stranger = pair.network.open("b", { handlers: { message: () => {}, failed: () => {} }, limits: LIMITS });
    stranger.send({ octets, protocol: "rsvp", interface: "b0", destination: A, ttl: 64, tos: 0 });
    await pair.clock.pass(5000);
    const paths = pair.seen.filter(({ packet }) => packet.message.kind === "Path");
    expect(paths.map(({ packet }) => packet.messageId !== undefined)).toEqual([true, false]);
    expect(kinds(a.messages)).toEqual(["PathErr"]);
  });

  it("hands over what it cannot read, and counts it", async () => {
    const pair = new Pair();
    const b = await pair.side("b");
    const a = pair.network.open("a", { handlers: { message: () => {}, failed: () => {} }, limits: LIMITS });
    const octets = encodePacket({ sendTtl: 9, refreshReduction: false, acks: [], message: PATH });
    octets.writeUInt8(octets.readUInt8(12) ^ 1, 12);
    pair.network.fate = () => [0];
    a.send({ octets, protocol: "rsvp", interface: "a0", destination: FAR, routerAlert: 0, ttl: 9, tos: 0 });
    a.send({ octets: Buffer.alloc(8), protocol: "rsvp", interface: "a0", destination: B, ttl: 9, tos: 0 });
    await pair.clock.pass(10);
    expect(b.messages).toEqual([]);
    expect(b.errors.map(({ reason }) => reason)).toEqual(["checksum"]);
    expect(b.endpoint.counters.get("unreadable.checksum")).toBe(1);
    expect(b.endpoint.counters.get("refused.malformed")).toBe(1);
  });
});

const LIMITS = {
  maxMessage: 65_000,
  perSource: 100,
  perSecond: 100,
  maxSources: 10,
  perTurn: 10,
  maxWaiting: 10,
  receiveBuffer: 0,
};

describe("an RSVP endpoint with keys", () => {
  const SECRET = Buffer.from("0123456789abcdef");
  const keys = (name: string, more: Partial<SecurityAssociation> = {}): SecurityAssociation[] => [
    { interface: name, keys: [rsvpKey(1, SECRET)], handshake: "off", window: 1, ...more },
  ];

  it("signs everything, and takes nothing that is not signed", async () => {
    const pair = new Pair();
    const [a, b] = [await pair.side("a", keys("a0")), await pair.side("b", keys("b0"))];
    a.send(PATH, AS_PATH);
    await pair.clock.pass(10);
    b.send(RESV);
    await pair.clock.pass(1000);
    expect(kinds(b.messages)).toEqual(["Path"]);
    expect(kinds(a.messages)).toEqual(["Resv"]);
    expect(pair.seen.every(({ packet }) => packet.integrity !== undefined)).toBe(true);

    const stranger = await pair.side("a");
    stranger.send(path({ from: A, to: FAR, codePoint: 34 }), AS_PATH);
    await pair.clock.pass(10_000);
    expect(b.messages).toHaveLength(1);
    expect(b.endpoint.counters.get("refused.missing")).toBe(3);
  });

  it("refuses a wrong key, an unknown one, a replay and its own echo, each counted by reason", async () => {
    const pair = new Pair();
    const [a, b] = [await pair.side("a", keys("a0")), await pair.side("b", keys("b0"))];
    a.send(PATH, AS_PATH);
    await pair.clock.pass(10);
    const { datagram } = pair.seen[0]!;
    const replay = pair.network.open("a", { handlers: { message: () => {}, failed: () => {} }, limits: LIMITS });
    replay.send(datagram);
    await pair.clock.pass(10);
    expect(b.endpoint.counters.get("refused.replay")).toBe(1);

    const wrong = await pair.side("a", keys("a0", { keys: [rsvpKey(1, Buffer.from("another"))] }));
    wrong.send(PATH, AS_PATH);
    const unknown = await pair.side("a", keys("a0", { keys: [rsvpKey(2, SECRET)] }));
    unknown.send(PATH, AS_PATH);
    const echo = await pair.side("a", keys("a0"));
    echo.send({ ...PATH, hop: { address: B, lih: 1 } }, AS_PATH);
    await pair.clock.pass(10);
    expect(b.endpoint.counters.get("refused.digest")).toBe(1);
    expect(b.endpoint.counters.get("refused.unknownKey")).toBe(1);
    expect(b.endpoint.counters.get("refused.own")).toBe(1);
    expect(b.messages).toHaveLength(1);
  });

  it("sends nothing unsigned where everything is to be signed", async () => {
    const pair = new Pair();
    const a = await pair.side("a", keys("a0", { keys: [rsvpKey(1, SECRET, { use: "receive" })] }));
    a.send(PATH, AS_PATH);
    await pair.clock.pass(10);
    expect(pair.seen).toEqual([]);
    expect(a.endpoint.counters.get("unsigned")).toBe(1);
  });

  it("a restarted sender goes on: its numbers follow the clock", async () => {
    const pair = new Pair();
    const a = await pair.side("a", keys("a0"));
    const b = await pair.side("b", keys("b0"));
    a.send(PATH, AS_PATH);
    await pair.clock.pass(100);
    const again = await pair.side("a", keys("a0"), 2);
    again.send(PATH, AS_PATH);
    await pair.clock.pass(100);
    expect(b.messages).toHaveLength(2);
  });

  it("challenges a sender that it does not know, and takes its retransmission (RFC 2747 §4.3)", async () => {
    const pair = new Pair();
    const a = await pair.side("a", keys("a0"));
    const b = await pair.side("b", keys("b0", { handshake: "required" }));
    a.send(PATH, AS_PATH);
    await pair.clock.pass(600);
    expect(pair.take().slice(0, 4)).toEqual(["a Path", "b IntegrityChallenge", "a IntegrityResponse", "a Path"]);
    expect(kinds(b.messages)).toEqual(["Path"]);
    expect(b.endpoint.counters.get("refused.handshake")).toBe(1);
  });

  it("repeats a challenge that got lost", async () => {
    const pair = new Pair();
    const a = await pair.side("a", keys("a0"));
    const b = await pair.side("b", keys("b0", { handshake: "required" }));
    let lost = 1;
    pair.fate = (_datagram, { node }) => (node === "b" && lost-- > 0 ? [] : [0]);
    a.send(PATH, AS_PATH);
    await pair.clock.pass(3000);
    expect(count(pair.take(), "b IntegrityChallenge")).toBe(2);
    expect(kinds(b.messages)).toEqual(["Path"]);
  });

  it("rolls over to a new key under traffic without losing a message", async () => {
    const pair = new Pair();
    const start = pair.clock.time;
    const two = [
      rsvpKey(1, SECRET, { until: start + 200_000 }),
      rsvpKey(2, Buffer.from("new"), { from: start + 100_000 }),
    ];
    const a = await pair.side("a", keys("a0", { keys: two }));
    const b = await pair.side("b", keys("b0", { keys: two }));
    for (let round = 0; round < 30; round += 1) {
      a.send(path({ from: A, to: FAR, rate: 10_000 + round }), AS_PATH);
      await pair.clock.pass(10_000);
    }
    expect(b.messages).toHaveLength(30);
    const used = pair.seen.map(({ packet }) => packet.integrity?.keyId);
    expect(new Set(used)).toEqual(new Set([1, 2]));
    expect(used.lastIndexOf(1)).toBeLessThan(used.indexOf(2));
    expect([...b.endpoint.counters.all().keys()].filter((name) => name.startsWith("refused"))).toEqual([]);
  });
});
