import { describe, expect, it } from "vitest";
import { type Incoming, ReliableReceiver } from "../../../src/rsvp/reliability/receiver.js";
import { DEFAULT_RELIABILITY, type MessageRole } from "../../../src/rsvp/reliability/rules.js";

const EPOCH = 5;
const make = (restarted?: () => void): ReliableReceiver<string> =>
  new ReliableReceiver<string>(DEFAULT_RELIABILITY, restarted);

function incoming(id: number, more: { role?: MessageRole; key?: string; epoch?: number; ack?: boolean } = {}) {
  const { role = "state", key = "p", epoch = EPOCH, ack = true } = more;
  const message: Incoming<string> = {
    role,
    key,
    message: `${key} ${id}`,
    messageId: { epoch, id, ackDesired: ack },
    lifetime: 100_000,
  };
  return message;
}

const acks = (receiver: ReliableReceiver<string>): string[] =>
  receiver.takeAcks().map(({ kind, id }) => `${kind} ${id}`);

describe("the receiver of RFC 2961", () => {
  it("§4.5: tells new from refreshed from overtaken", () => {
    const receiver = make();
    expect(receiver.received(incoming(3), 0)).toBe("new");
    expect(receiver.received(incoming(3), 1)).toBe("refresh");
    expect(receiver.received(incoming(2), 2)).toBe("outOfOrder");
    expect(receiver.received(incoming(1, { key: "q" }), 3)).toBe("new");
    expect(receiver.received(incoming(4), 4)).toBe("new");
    expect(acks(receiver)).toEqual(["ack 3", "ack 3", "ack 1", "ack 4"]);
  });

  it("§4.5: another epoch is no order", () => {
    const receiver = make();
    receiver.received(incoming(9), 0);
    expect(receiver.received(incoming(1, { epoch: 6 }), 1)).toBe("new");
    expect(receiver.received(incoming(2, { epoch: 6 }), 2)).toBe("new");
  });

  it("§4.2: tells when its neighbour has started again, not when it is heard first", () => {
    let restarts = 0;
    const receiver = make(() => {
      restarts += 1;
    });
    receiver.received(incoming(1), 0);
    receiver.received(incoming(2), 1);
    receiver.summary(EPOCH + 1, [1], 2);
    expect(restarts).toBe(0);
    receiver.received(incoming(1, { epoch: EPOCH + 1 }), 3);
    receiver.received(incoming(2, { epoch: EPOCH + 1, role: "notice" }), 4);
    expect(restarts).toBe(1);
  });

  it("§4.6: acknowledges only what asks for it, soon", () => {
    const receiver = make();
    receiver.received(incoming(1, { ack: false }), 0);
    expect(receiver.nextDue()).toBe(Number.POSITIVE_INFINITY);
    receiver.received(incoming(2), 1000);
    expect(receiver.nextDue()).toBe(1010);
    expect(acks(receiver)).toEqual(["ack 2"]);
    expect(receiver.nextDue()).toBe(Number.POSITIVE_INFINITY);
  });

  it("takes notices once, and acknowledges them each time", () => {
    const receiver = make();
    expect(receiver.received(incoming(1, { role: "notice" }), 0)).toBe("new");
    expect(receiver.received(incoming(1, { role: "notice" }), 1)).toBe("repeat");
    expect(acks(receiver)).toEqual(["ack 1", "ack 1"]);
  });

  it("a tear is taken once, and no overtaken message brings the state back for a while", () => {
    const receiver = make();
    receiver.received(incoming(1), 0);
    expect(receiver.received(incoming(2, { role: "tear" }), 1)).toBe("new");
    expect(receiver.received(incoming(2, { role: "tear" }), 2)).toBe("repeat");
    expect(receiver.received(incoming(1), 3)).toBe("outOfOrder");
    expect(receiver.summary(EPOCH, [1, 2], 4)).toEqual([]);
    expect(receiver.received(incoming(1), 20_000)).toBe("new");
  });

  it("§5.3: a summary refreshes what is known, and the rest is answered with a NACK", () => {
    const receiver = make();
    receiver.received(incoming(1, { ack: false }), 0);
    receiver.received(incoming(2, { key: "q", ack: false }), 0);
    expect(receiver.summary(EPOCH, [1, 2, 3], 90_000)).toEqual(["p 1", "q 2"]);
    expect(receiver.summary(EPOCH, [1], 180_000)).toEqual(["p 1"]);
    expect(receiver.summary(EPOCH, [2], 200_000)).toEqual([]);
    expect(receiver.summary(6, [1], 200_000)).toEqual([]);
    expect(acks(receiver)).toEqual(["nack 3", "nack 2", "nack 1"]);
  });

  it("a message without identifier makes the old one unknown", () => {
    const receiver = make();
    receiver.received(incoming(1, { ack: false }), 0);
    const { messageId: _messageId, ...plain } = incoming(1);
    expect(receiver.received(plain, 1)).toBe("new");
    expect(receiver.summary(EPOCH, [1], 2)).toEqual([]);
  });

  it("keeps within its limits", () => {
    const receiver = new ReliableReceiver<string>({ ...DEFAULT_RELIABILITY, maxStates: 3, maxNotices: 2, maxNacks: 5 });
    for (let id = 1; id <= 10; id += 1) receiver.received(incoming(id, { key: `p${id}`, ack: false }), 0);
    expect(receiver.summary(EPOCH, [1, 2, 3, 4], 1)).toEqual(["p1 1", "p2 2", "p3 3"]);
    for (let id = 20; id <= 23; id += 1) receiver.received(incoming(id, { role: "notice" }), 0);
    expect(receiver.received(incoming(20, { role: "notice" }), 0)).toBe("new");
    receiver.summary(
      EPOCH,
      Array.from({ length: 5000 }, (_, n) => n + 100),
      2,
    );
    expect(acks(receiver)).toHaveLength(5);
  });
});
