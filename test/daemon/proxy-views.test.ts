import { describe, expect, it } from "vitest";
import { sessionView } from "../../src/daemon/proxy-views.js";
import { probing } from "../../src/daemon/router-stamp.js";
import { type SessionId, sessionIdOf } from "../../src/model/session.js";
import { seconds, timestamp } from "../../src/model/units.js";
import type { PepDialog } from "../../src/pep/sip/dialog-store.js";
import type { StampEndpoint } from "../../src/stamp/endpoint/stamp-endpoint.js";

const session: SessionId = sessionIdOf("c1", "a1");
const dialog = (direct: boolean | undefined, changes: Partial<PepDialog> = {}): PepDialog => ({
  context: {
    session,
    callId: "c1",
    callerTag: "a1",
    calleeTag: "b1",
    side: "originating",
    caller: "sip:a@a.example",
    callee: "sip:b@b.example",
    source: { address: "10.1.0.10", port: 5060 },
    ...(direct === undefined ? {} : { direct }),
  },
  handle: 1,
  phase: "policed",
  answered: true,
  since: timestamp(5),
  last: { event: "answer", message: "" },
  answer: undefined,
  ...changes,
});

describe("a dialog, as a proxy shows it", () => {
  it.each([
    [undefined, {}, "policed"],
    [true, {}, "policed, direct"],
    [false, {}, "policed, direct not possible"],
    [false, { shed: "bestEffort" }, "policed, direct not possible, shed"],
    [undefined, { answered: false }, "policed, not answered"],
  ] as const)("says whether the proxy has left its path: %s", (direct, changes, state) => {
    expect(sessionView(dialog(direct, changes))).toMatchObject({ session, side: "originating", state, since: 5 });
  });
});

it("a router's first report comes when packets can be told as lost", () => {
  const config = { timeout: seconds(2), report: seconds(5) } as Parameters<typeof probing>[1];
  expect(probing({} as StampEndpoint, config).probes?.times).toEqual({ first: 2200, interval: 5000 });
  expect(probing(undefined, config)).toEqual({});
});
