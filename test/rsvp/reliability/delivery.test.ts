/** Sender and receiver over a wire that loses, doubles and reorders. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { MessageId } from "../../../src/rsvp/codec/objects.js";
import { ReliableReceiver } from "../../../src/rsvp/reliability/receiver.js";
import { DEFAULT_RELIABILITY, MessageIds, type MessageRole } from "../../../src/rsvp/reliability/rules.js";
import { ReliableSender, type SenderAction } from "../../../src/rsvp/reliability/sender.js";

interface Said {
  readonly role: MessageRole;
  readonly key: string;
  readonly text: string;
}

type Packet =
  | { readonly kind: "message"; readonly said: Said; readonly messageId: MessageId | undefined }
  | { readonly kind: "summary"; readonly epoch: number; readonly ids: readonly number[] }
  | { readonly kind: "acks"; readonly acks: ReturnType<ReliableReceiver<Said>["takeAcks"]> };

/** Delays in ms of the copies of one packet that arrive; none if it is lost. */
type Fate = readonly number[];

class Wire {
  readonly sender = new ReliableSender<Said>(DEFAULT_RELIABILITY, new MessageIds(77));
  readonly receiver = new ReliableReceiver<Said>(DEFAULT_RELIABILITY);
  /** Texts that were handled as new, and as refreshes. */
  readonly handled: string[] = [];
  readonly refreshed: string[] = [];
  now = 0;
  #fates: Fate[];
  #flying: { at: number; packet: Packet }[] = [];

  constructor(fates: readonly Fate[]) {
    this.#fates = [...fates];
  }

  /** Nothing is lost or late any more. */
  calmDown(): void {
    this.#fates = [];
  }

  say(said: Said): void {
    this.#act(this.sender.send({ role: said.role, key: said.key, content: said.text, message: said }, true, this.now));
  }

  run(until: number): void {
    for (;;) {
      const flying = Math.min(...this.#flying.map(({ at }) => at), Number.POSITIVE_INFINITY);
      const next = Math.min(flying, this.sender.nextDue(), this.receiver.nextDue());
      if (next > until) break;
      this.now = Math.max(this.now, next);
      this.#arrive();
      if (this.sender.nextDue() <= this.now) this.#act(this.sender.due(true, this.now));
      if (this.receiver.nextDue() <= this.now) this.#send({ kind: "acks", acks: this.receiver.takeAcks() });
    }
    this.now = until;
  }

  #arrive(): void {
    const here = this.#flying.filter(({ at }) => at <= this.now);
    this.#flying = this.#flying.filter(({ at }) => at > this.now);
    for (const { packet } of here) this.#take(packet);
  }

  #take(packet: Packet): void {
    if (packet.kind === "acks") {
      for (const { kind, id } of packet.acks) {
        if (kind === "ack") this.sender.acknowledged(id);
        else this.#act(this.sender.notAcknowledged(id, this.now));
      }
    } else if (packet.kind === "summary") {
      for (const { text } of this.receiver.summary(packet.epoch, packet.ids, this.now)) this.refreshed.push(text);
    } else {
      const { said, messageId } = packet;
      const id = messageId === undefined ? {} : { messageId };
      const verdict = this.receiver.received(
        { role: said.role, key: said.key, message: said, lifetime: 157_500, ...id },
        this.now,
      );
      if (verdict === "new") this.handled.push(said.text);
      if (verdict === "refresh") this.refreshed.push(said.text);
    }
  }

  #act(actions: readonly SenderAction<Said>[]): void {
    for (const action of actions) {
      if (action.do === "transmit") {
        this.#send({ kind: "message", said: action.message, messageId: action.messageId });
      } else if (action.do === "summary") {
        this.#send({ kind: "summary", epoch: action.epoch, ids: action.ids });
      }
    }
  }

  #send(packet: Packet): void {
    for (const delay of this.#fates.shift() ?? [1]) this.#flying.push({ at: this.now + delay, packet });
  }
}

const delay = fc.integer({ min: 1, max: 400 });
/** One in three is lost, some are doubled. */
const fate: fc.Arbitrary<Fate> = fc.oneof(fc.constant([]), fc.tuple(delay), fc.tuple(delay, delay));
const said = fc.record({
  role: fc.constantFrom<MessageRole>("state", "state", "tear", "notice"),
  key: fc.constantFrom("p", "q", "r"),
  gap: fc.integer({ min: 0, max: 600 }),
});

describe("delivery over a bad wire", () => {
  it("property: nothing is handled twice, and when it has calmed down the receiver has the sender's last word", () => {
    fc.assert(
      fc.property(
        fc.array(fate, { maxLength: 60 }),
        fc.array(said, { minLength: 1, maxLength: 12 }),
        (fates, steps) => {
          const wire = new Wire(fates);
          const last = new Map<string, string>();
          steps.forEach(({ role, key, gap }, index) => {
            const text = `${role} ${key} ${index}`;
            wire.say({ role, key: role === "notice" ? `notice ${index}` : key, text });
            if (role !== "notice") last.set(key, text);
            wire.run(wire.now + gap);
          });
          // Soft state is refreshed: what three tries did not bring comes then.
          const states = [...last].filter(([, text]) => text.startsWith("state"));
          wire.calmDown();
          for (let round = 0; round < 4; round += 1) {
            wire.run(wire.now + 30_000);
            for (const [key, text] of states) wire.say({ role: "state", key, text });
          }
          wire.run(wire.now + 5000);
          expect(new Set(wire.handled).size).toBe(wire.handled.length);
          for (const [key, text] of states) {
            const words = wire.handled.filter((word) => word.split(" ")[1] === key && !word.startsWith("notice"));
            expect(words.at(-1)).toBe(text);
          }
        },
      ),
    );
  });

  it("property: with less than three losses in a row every message is handled exactly once, within 3.5 s", () => {
    const mild = fc.oneof({ weight: 3, arbitrary: fc.tuple(delay) }, { weight: 1, arbitrary: fc.tuple(delay, delay) });
    // At most two losses among the six packets that one message and its acknowledgements take.
    const fates = fc.array(
      fc.tuple(fc.constantFrom(0, 1, 2), fc.array(mild, { minLength: 4, maxLength: 4 })).map(([losses, rest]) => {
        const lost: Fate[] = Array.from({ length: losses }, () => []);
        return [...lost, ...rest];
      }),
      { minLength: 1, maxLength: 5 },
    );
    fc.assert(
      fc.property(fates, fc.constantFrom<MessageRole>("state", "tear", "notice"), (groups, role) => {
        groups.forEach((group, index) => {
          const wire = new Wire(group);
          wire.say({ role, key: "p", text: `word ${index}` });
          wire.run(3500);
          expect(wire.handled).toEqual([`word ${index}`]);
        });
      }),
    );
  });

  it("refreshes a thousand states with a few small packets, and each of them", () => {
    const wire = new Wire([]);
    const all = Array.from({ length: 1000 }, (_, n) => ({ role: "state" as const, key: `p${n}`, text: `state p${n}` }));
    for (const one of all) wire.say(one);
    wire.run(1000);
    expect(wire.handled).toHaveLength(1000);
    for (const one of all) wire.say(one);
    wire.run(2000);
    expect(wire.refreshed).toEqual(all.map(({ text }) => text));
  });
});
