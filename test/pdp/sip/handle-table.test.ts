import { describe, expect, it } from "vitest";
import { dialogHandle } from "../../../src/cops/sip/codes.js";
import { parseSessionId } from "../../../src/model/session.js";
import { HandleTable } from "../../../src/pdp/sip/handle-table.js";

const session = parseSessionId("00112233445566ff")!;
const [first, second] = [dialogHandle(1), dialogHandle(2)];

describe("handles of a proxy", () => {
  it("lead to sessions and back, until they are gone", () => {
    const table = new HandleTable();
    table.bind(first, session);
    expect([table.sessionOf(first), table.handleOf(session)]).toEqual([session, first]);
    table.unbind(first);
    expect([table.sessionOf(first), table.handleOf(session)]).toEqual([undefined, undefined]);
  });

  it("may change: the last one counts, and the end of an older one does not end it", () => {
    const table = new HandleTable();
    table.bind(first, session);
    table.bind(second, session);
    expect([table.sessionOf(first), table.handleOf(session)]).toEqual([session, second]);
    table.unbind(first);
    expect(table.handleOf(session)).toEqual(second);
  });
});
