import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type SessionId, sessionIdOf } from "../../src/model/session.js";
import { isLive, localUser, type SessionRecord, type SessionState } from "../../src/pdp/session-record.js";
import { SessionStore } from "../../src/pdp/session-store.js";
import { SessionTable } from "../../src/pdp/session-table.js";
import { sessionRecord } from "./session-record.js";

const USERS = ["alice@a.example", "bob@b.example", "carol@a.example"];
const SESSIONS = [1, 2, 3, 4, 5].map((n) => sessionIdOf(`call-${n}`, "tag"));

const recordOf = (id: SessionId, state: SessionState, user: string, side: SessionRecord["side"]): SessionRecord => {
  const other = "dave@c.example";
  const [caller, callee] = side === "originating" ? [user, other] : [other, user];
  return sessionRecord(1, { id, callId: id, side, caller, callee, state });
};

const step = fc.record({
  what: fc.constantFrom("save", "save", "save", "close", "restart"),
  session: fc.constantFrom(...SESSIONS),
  state: fc.constantFrom<SessionState>("authorised", "reserved", "releasing"),
  user: fc.constantFrom(...USERS),
  side: fc.constantFrom("originating" as const, "terminating" as const),
});

let directory: string;
let store: SessionStore;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sluice-table-"));
  store = new SessionStore(join(directory, "pdp.db"));
});
afterEach(() => {
  store.close();
  rmSync(directory, { recursive: true, force: true });
});

describe("the sessions of a user", () => {
  const walked = (table: SessionTable, user: string, id: SessionId): number =>
    [...table.values()].filter((record) => record.id !== id && isLive(record) && localUser(record) === user).length;

  it("are as many as a walk over all sessions finds, after any sequence and after a restart", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        store.database.exec("DELETE FROM session");
        let table = new SessionTable(store);
        for (const { what, session, state, user, side } of steps) {
          const known = table.get(session);
          if (what === "save") table.save(recordOf(session, state, user, side));
          if (what === "close" && known !== undefined) table.close({ ...known, state: "closed" }, () => undefined);
          if (what === "restart") table = new SessionTable(store);
          for (const each of USERS) {
            for (const id of SESSIONS) expect(table.countOf(each, id)).toBe(walked(table, each, id));
          }
        }
      }),
      { numRuns: 100 },
    );
  });
});
