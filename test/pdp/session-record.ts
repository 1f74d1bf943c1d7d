import { sessionIdOf } from "../../src/model/session.js";
import { timestamp } from "../../src/model/units.js";
import type { SessionRecord } from "../../src/pdp/session-record.js";

/** The nth session of a test: alice calls bob, authorised and nothing more, but for what is changed. */
export const sessionRecord = (n: number, change: Partial<SessionRecord> = {}): SessionRecord => ({
  id: sessionIdOf(`call-${n}`, "tag"),
  callId: `call-${n}`,
  peer: "sip1",
  side: "originating",
  caller: "alice@a.example",
  callee: "bob@b.example",
  rule: "calls",
  treatment: "assured",
  class: "voice",
  offer: undefined,
  reoffer: undefined,
  transactionId: String(n),
  directives: { addHeaders: [], removeHeaders: [] },
  state: "authorised",
  flows: [],
  past: [],
  needs: [],
  refusal: undefined,
  created: timestamp(0),
  answered: undefined,
  ended: undefined,
  cause: undefined,
  steps: [],
  ...change,
});
