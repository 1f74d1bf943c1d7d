import { afterEach, describe, expect, it } from "vitest";
import type { SessionRecord } from "../../src/pdp/session-record.js";
import { SessionService } from "../../src/pdp/session-service.js";
import { audio, CALLEE, CALLER, SESSION, Side, sdp } from "./negotiation/two-servers.js";

const open: Side[] = [];
afterEach(() => {
  for (const side of open.splice(0)) side.close();
});
function side(): Side {
  const made = new Side("originating");
  open.push(made);
  return made;
}

describe("flows of several classes in one session", () => {
  const media = (address: string, second = audio(1)) => sdp(address, audio(0, "sluice-class:fps"), second);

  it("each have the pool and the class of their own medium", async () => {
    const both = side();
    // A rule with both: the games of one, and voice for media that name nothing.
    const service = new SessionService({ ...both.options, rules: both.ruleBook(["fps"], "voice") });
    await both.use(service).invite(media(CALLER));
    await both.answer(media(CALLEE));
    const placed = both.record.flows.map(({ class: name, pool, flow }) => `${name} ${pool} ${flow.direction}`);
    expect(placed.sort()).toEqual(["game game down", "game game up", "voice voice down", "voice voice up"]);
    expect(both.ledger.view().map(({ name, usedUp }) => `${name} ${usedUp}`)).toEqual(["voice 85600", "game 85600"]);
    await both.answer(
      media(
        CALLEE,
        audio(1).map((line) => line.replace(/^m=audio \d+/, "m=audio 0")),
      ),
    );
    expect(both.router.changes.at(-1)?.remove.map(({ class: name }) => name)).toEqual(["voice", "voice"]);
    expect(both.ledger.held(SESSION).map(({ pool }) => pool)).toEqual(["game"]);
  });
});

describe("records of before", () => {
  it("are read: their flows have the session's class, and stay where they are", async () => {
    const before = side();
    await before.invite(sdp(CALLER, audio(0)));
    await before.answer(sdp(CALLEE, audio(0)));
    const { grants: _grants, ...record } = before.record;
    const old: SessionRecord = {
      ...record,
      flows: record.flows.map(({ class: _class, pool: _pool, ...flow }) => flow),
    };
    before.store.save(old);
    const service = new SessionService(before.options);
    before.use(service);
    expect((await before.answer(sdp(CALLEE, audio(0)))).admitted).toBe(true);
    expect(before.router.changes).toHaveLength(1);
    expect(before.record.flows).toEqual(old.flows);
    await service.release(SESSION, "bye");
    expect([before.isIdle, before.settled.length]).toEqual([true, 1]);
  });
});
