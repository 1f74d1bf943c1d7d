import { describe, expect, it } from "vitest";
import {
  RECEIVER_INITIAL,
  type ReceiverAction,
  type ReceiverEvent,
  type ReceiverRules,
  type ReceiverState,
  receiverStep,
} from "../../../src/rsvp/security/receiver.js";

const COOKIE = Buffer.from("8 octets");
const OTHER = Buffer.from("eight oc");
const rules = (more: Partial<ReceiverRules> = {}): ReceiverRules => ({
  handshake: "willing",
  window: 4,
  challengeInterval: 1000,
  maxChallenges: 3,
  ...more,
});

const message = (sequence: bigint, more: { willing?: boolean; now?: number } = {}): ReceiverEvent => ({
  type: "message",
  sequence,
  willing: true,
  now: 0,
  cookie: COOKIE,
  ...more,
});

/** Actions of each event as short words. */
function run(given: ReceiverRules, events: readonly ReceiverEvent[]): { state: ReceiverState; said: string[] } {
  let state: ReceiverState = RECEIVER_INITIAL;
  const said: string[] = [];
  for (const event of events) {
    const step = receiverStep(given, state, event);
    state = step.state;
    said.push(step.actions.map(word).join("+"));
  }
  return { state, said };
}

const word = (action: ReceiverAction): string => (action.do === "drop" ? action.why : action.do);

describe("a receiver of signed messages", () => {
  it("without handshake begins with the first message", () => {
    const { said } = run(rules({ handshake: "off" }), [message(7n), message(7n), message(6n), message(8n)]);
    expect(said).toEqual(["accept", "replay", "replay", "accept"]);
  });

  it("RFC 2747 §4.3: challenges a willing sender and accepts after its response", () => {
    const { said } = run(rules(), [
      message(10n),
      message(11n),
      { type: "response", sequence: 12n, cookie: OTHER },
      { type: "response", sequence: 12n, cookie: COOKIE },
      message(11n),
      message(13n),
    ]);
    expect(said).toEqual(["handshake+challenge", "handshake", "response", "accept", "replay", "accept"]);
  });

  it("§4.3: ignores responses that answer no challenge", () => {
    const response: ReceiverEvent = { type: "response", sequence: 5n, cookie: COOKIE };
    expect(run(rules(), [response]).said).toEqual(["response"]);
    expect(run(rules({ handshake: "off" }), [message(9n), response, message(6n)]).said).toEqual([
      "accept",
      "response",
      "replay",
    ]);
  });

  it("§4.3: takes a sender with HF = 0 without handshake, unless that is required", () => {
    expect(run(rules(), [message(1n, { willing: false })]).said).toEqual(["accept"]);
    const required = run(rules({ handshake: "required" }), [message(1n, { willing: false }), message(2n)]);
    expect(required.said).toEqual(["unwilling", "handshake+challenge"]);
  });

  it("§4.3: repeats the challenge with growing intervals, and begins again after the last", () => {
    const due = (now: number): ReceiverEvent => ({ type: "due", now });
    const { said } = run(rules(), [message(1n), due(999), due(1000), due(2999), due(3000), due(7000), message(2n)]);
    expect(said).toEqual(["handshake+challenge", "", "challenge", "", "challenge", "", "handshake+challenge"]);
  });

  it("answers every event in every state", () => {
    const states: ReceiverState[] = [
      { phase: "unknown" },
      { phase: "challenged", cookie: COOKIE, sent: 1, due: 0 },
      { phase: "open", window: { size: 1, accepted: [1n] } },
    ];
    const events: ReceiverEvent[] = [
      message(2n),
      { type: "response", sequence: 2n, cookie: COOKIE },
      { type: "due", now: 5 },
    ];
    for (const state of states) {
      for (const event of events) expect(receiverStep(rules(), state, event).actions).toBeInstanceOf(Array);
    }
  });
});
