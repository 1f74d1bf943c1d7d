import { describe, expect, it } from "vitest";
import { DEFAULT_RELIABILITY, isEarlier, MessageIds } from "../../../src/rsvp/reliability/rules.js";
import { type Outgoing, ReliableSender, type SenderAction } from "../../../src/rsvp/reliability/sender.js";

const EPOCH = 0xabcdef;
const make = (): ReliableSender<string> => new ReliableSender<string>(DEFAULT_RELIABILITY, new MessageIds(EPOCH));

const state = (key: string, content = "a"): Outgoing<string> => ({
  role: "state",
  key,
  content,
  message: `${key} ${content}`,
});

/** `message #id`, with `!` where an acknowledgement is wanted. */
function word(action: SenderAction<string>): string {
  if (action.do === "summary") return `summary ${action.ids.join(" ")}`;
  if (action.do === "unacknowledged") return `unacknowledged ${action.message}`;
  const { messageId, message } = action;
  return messageId === undefined ? message : `${message} #${messageId.id}${messageId.ackDesired ? "!" : ""}`;
}
const words = (actions: readonly SenderAction<string>[]): string[] => actions.map(word);

/** Everything that falls due up to `end`, with its time. */
function until(sender: ReliableSender<string>, end: number, capable = true): string[] {
  const said: string[] = [];
  for (let at = sender.nextDue(); at <= end; at = sender.nextDue()) {
    said.push(...words(sender.due(capable, at)).map((text) => `${at} ${text}`));
  }
  return said;
}

describe("the sender of RFC 2961", () => {
  it("§6.3: sends again after Rf and 2 Rf, three times in all, then gives up", () => {
    const sender = make();
    expect(words(sender.send(state("p"), false, 0))).toEqual(["p a #1!"]);
    expect(until(sender, 60_000)).toEqual(["500 p a #1!", "1500 p a #1!", "3500 unacknowledged p a"]);
    expect(words(sender.send(state("p"), true, 30_000))).toEqual(["p a #1!"]);
  });

  it("§6.3: stops when it is acknowledged", () => {
    const sender = make();
    sender.send(state("p"), false, 0);
    expect(sender.acknowledged(1)).toBe(true);
    expect(sender.acknowledged(99)).toBe(false);
    expect(sender.nextDue()).toBe(Number.POSITIVE_INFINITY);
  });

  it("§4.5: a refresh keeps its identifier, a change gets a greater one and ends the retransmission of the old", () => {
    const sender = make();
    sender.send(state("p"), false, 0);
    sender.acknowledged(1);
    expect(words(sender.send(state("p"), false, 30_000))).toEqual(["p a #1"]);
    expect(words(sender.send(state("p", "b"), false, 40_000))).toEqual(["p b #2!"]);
    expect(words(sender.send(state("p", "c"), false, 40_100))).toEqual(["p c #3!"]);
    expect(until(sender, 40_999)).toEqual(["40600 p c #3!"]);
    expect(sender.acknowledged(2)).toBe(false);
  });

  it("§5: sums up refreshes of what was acknowledged, by neighbours that can read it", () => {
    const sender = make();
    for (const key of ["p", "q", "r"]) sender.send(state(key), true, 0);
    sender.acknowledged(1);
    sender.acknowledged(2);
    expect(words(sender.send(state("p"), true, 30_000))).toEqual([]);
    expect(words(sender.send(state("r"), true, 30_000))).toEqual(["r a #3!"]);
    expect(words(sender.send(state("q"), true, 30_050))).toEqual([]);
    expect(until(sender, 30_300).at(-1)).toBe("30200 summary 1 2");
    expect(words(sender.send(state("p"), false, 60_000))).toEqual(["p a #1"]);
  });

  it("§2: sends whole messages if the neighbour stopped being capable in between", () => {
    const sender = make();
    sender.send(state("p"), true, 0);
    sender.acknowledged(1);
    sender.send(state("p"), true, 30_000);
    expect(until(sender, 31_000, false)).toEqual(["30200 p a #1"]);
  });

  it("§5.5: sends every tenth refresh as a whole", () => {
    const sender = make();
    sender.send(state("p"), true, 0);
    sender.acknowledged(1);
    const refreshes = Array.from({ length: 20 }, (_, n) => words(sender.send(state("p"), true, (n + 1) * 30_000)));
    expect(refreshes.flatMap((said, n) => (said.length > 0 ? [n] : []))).toEqual([9, 19]);
  });

  it("§5.4: a NACK brings the whole message, until it is acknowledged", () => {
    const sender = make();
    sender.send(state("p"), true, 0);
    sender.acknowledged(1);
    expect(words(sender.notAcknowledged(1, 30_000))).toEqual(["p a #1!"]);
    expect(words(sender.notAcknowledged(1, 30_001))).toEqual([]);
    expect(words(sender.notAcknowledged(77, 30_001))).toEqual([]);
    expect(until(sender, 31_000)).toEqual(["30500 p a #1!"]);
  });

  it("§4.8: a neighbour without MESSAGE_ID gets everything again and without", () => {
    const sender = make();
    sender.send(state("p"), false, 0);
    expect(words(sender.unsupported())).toEqual(["p a"]);
    expect(sender.unsupported()).toEqual([]);
    expect(words(sender.send(state("p"), true, 1000))).toEqual(["p a"]);
    expect(sender.nextDue()).toBe(Number.POSITIVE_INFINITY);
  });

  it("a tear ends the state: the same again is new", () => {
    const sender = make();
    sender.send(state("p"), true, 0);
    sender.acknowledged(1);
    expect(words(sender.send({ role: "tear", key: "p", content: "", message: "tear" }, true, 10))).toEqual([
      "tear #2!",
    ]);
    expect(words(sender.send(state("p"), true, 20))).toEqual(["p a #3!"]);
    sender.acknowledged(2);
    sender.acknowledged(3);
    expect(sender.isEmpty).toBe(false);
    sender.send({ role: "tear", key: "p", content: "", message: "tear" }, true, 30);
    sender.acknowledged(4);
    expect(sender.isEmpty).toBe(true);
  });

  it("§4.5: an error about the state says that it arrived", () => {
    const sender = make();
    sender.send(state("p"), false, 0);
    sender.acknowledgedBy("p");
    expect(sender.nextDue()).toBe(Number.POSITIVE_INFINITY);
  });

  it("repeats a notice only to who is known to acknowledge", () => {
    const sender = make();
    const notice: Outgoing<string> = { role: "notice", key: "", content: "", message: "error" };
    expect(words(sender.send(notice, false, 0))).toEqual(["error"]);
    expect(sender.isEmpty).toBe(true);
    expect(words(sender.send(notice, true, 0))).toEqual(["error #1!"]);
    expect(until(sender, 500)).toEqual(["500 error #1!"]);
  });

  it("splits long summaries, and forgets what is no longer refreshed", () => {
    const ids: number[] = [];
    const sender = new ReliableSender<string>(DEFAULT_RELIABILITY, new MessageIds(EPOCH), (id) => ids.push(id));
    for (let n = 1; n <= 300; n += 1) {
      sender.send(state(`p${n}`), true, 0);
      sender.acknowledged(n);
    }
    for (let n = 1; n <= 300; n += 1) sender.send(state(`p${n}`), true, 30_000);
    const summaries = sender
      .due(true, 30_200)
      .flatMap((action) => (action.do === "summary" ? [action.ids.length] : []));
    expect(summaries).toEqual([280, 20]);
    for (let n = 0; n < 200; n += 1) sender.send(state("other"), true, 2_000_000);
    expect(ids).toHaveLength(300);
  });
});

describe("identifiers", () => {
  it("compare across the wrap (§4.5)", () => {
    expect(isEarlier(1, 2)).toBe(true);
    expect(isEarlier(0xffffffff, 3)).toBe(true);
    expect(isEarlier(3, 0xffffffff)).toBe(false);
    expect(isEarlier(7, 7)).toBe(false);
  });
});
