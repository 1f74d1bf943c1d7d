import { describe, expect, it } from "vitest";
import type { RptMessage } from "../../../src/cops/codec/message.js";
import { dialogHandle, handleNumber } from "../../../src/cops/sip/codes.js";
import { ProtocolError } from "../../../src/model/errors.js";
import { SILENT_LOGGER } from "../../../src/model/log.js";
import type { SessionId } from "../../../src/model/session.js";
import { HandleTable } from "../../../src/pdp/sip/handle-table.js";
import { ShedTeller } from "../../../src/pdp/sip/shed-teller.js";
import { settle } from "../../support/fake-clock.js";

const id = (n: number) => n.toString(16).padStart(16, "0") as SessionId;

/** A proxy that reports when it is told to. */
function proxy() {
  const decided: number[] = [];
  const open: { resolve: (rpt: RptMessage) => void; reject: (error: Error) => void }[] = [];
  const handles = new HandleTable();
  const teller = new ShedTeller({
    peer: {
      decide: (handle) => {
        decided.push(handleNumber(handle) ?? 0);
        return new Promise((resolve, reject) => open.push({ resolve, reject }));
      },
    },
    handles,
    agent: "pol1",
    log: SILENT_LOGGER,
    onTold: () => undefined,
  });
  const begin = (count: number) => {
    for (let n = 1; n <= count; n++) {
      handles.bind(dialogHandle(n), id(n));
      teller.tell(id(n), "preempted");
    }
  };
  return { decided, open, handles, teller, begin };
}

const report = { reportType: "success" } as RptMessage;

describe("telling a proxy of sessions that were shed", () => {
  it("keeps few decisions open, and tells everyone once in the end, whether they are reported on or not", async () => {
    const { decided, open, begin } = proxy();
    begin(1000);
    expect(decided).toHaveLength(256);
    for (let round = 0; open.length > 0; round++) {
      const { resolve, reject } = open.shift()!;
      if (round % 3 === 0) reject(new ProtocolError("COPS_TIMEOUT", "late"));
      else resolve(report);
      await settle();
      expect(open.length).toBeLessThanOrEqual(256);
    }
    expect(decided).toEqual(Array.from({ length: 1000 }, (_, index) => index + 1));
  });

  it("leaves out who has gone before its turn, and says the same thing once", () => {
    const { decided, handles, teller, begin } = proxy();
    teller.tell(id(7), "idle");
    expect(decided).toEqual([]);
    begin(300);
    for (let n = 257; n <= 300; n++) handles.unbind(dialogHandle(n));
    teller.tell(id(300), "preempted");
    expect(decided).toHaveLength(256);
  });
});
