/** Answers in provisionals, PRACK, and parties that want a reservation before anybody is alerted (RFC 3262, RFC 3312). */
import { describe, expect, it } from "vitest";
import type { DecMessage } from "../../../src/cops/codec/message.js";
import type { SipHeader } from "../../../src/cops/sip/directives.js";
import { directivesOf, id, message, ok, proxy, sdp, world } from "./sip-world.js";

const wanting = (address: string, ...lines: readonly string[]) =>
  `${sdp(address)}${lines.map((line) => `${line}\r\n`).join("")}`;
const MANDATORY = ["a=curr:qos e2e none", "a=des:qos mandatory e2e sendrecv"];
const invite = (body: string) => message("INVITE sip:bob@b.example SIP/2.0", "1 INVITE", [], body);
const progress = (more: readonly string[], body: string, status = "183 Progress") =>
  message(`SIP/2.0 ${status}`, "1 INVITE", more, body);
const RELIABLE = ["Require: 100rel", "RSeq: 1"];
const granted = (headers: readonly SipHeader[] | undefined) =>
  (headers ?? []).filter(({ name }) => name === "Sluice-Granted").map(({ value }) => value);
const told = (dec: DecMessage) => {
  const { addHeaders, ackHeaders, refusal } = directivesOf(dec);
  return { response: granted(addHeaders).length, acknowledgement: granted(ackHeaders).length, status: refusal?.status };
};

describe("an answer in a provisional", () => {
  it("stays in force when the callee rings or accepts without saying it again", async () => {
    const { service, router, port } = await world();
    const { ask } = await proxy(port);
    await ask("invite", invite(sdp("10.1.0.10")));
    await ask("provisional", progress(RELIABLE, sdp("10.3.0.10")));
    const before = service.get(id)?.flows;
    expect(before?.length).toBeGreaterThan(0);
    expect(told(await ask("provisional", progress([], "", "180 Ringing"))).status).toBeUndefined();
    expect(told(await ask("answer", ok("1 INVITE", [], ""))).status).toBeUndefined();
    expect([service.get(id)?.flows, router.changes.length]).toEqual([before, 1]);
  });

  it("that is reliable tells what was granted, as its PRACK does; another one may still change", async () => {
    const { port } = await world();
    const { ask } = await proxy(port);
    await ask("invite", invite(wanting("10.1.0.10", ...MANDATORY)));
    const answer = wanting("10.3.0.10", ...MANDATORY, "a=conf:qos e2e recv");
    expect(told(await ask("provisional", progress([], answer)))).toMatchObject({ response: 0, acknowledgement: 0 });
    expect(told(await ask("provisional", progress(RELIABLE, answer)))).toMatchObject({
      response: 1,
      acknowledgement: 1,
    });
  });

  it("is not the end of the set-up: what UPDATE agrees on meanwhile is not charged", async () => {
    const { service, port } = await world();
    const { ask } = await proxy(port);
    await ask("invite", invite(wanting("10.1.0.10", ...MANDATORY)));
    await ask("provisional", progress(RELIABLE, wanting("10.3.0.10", ...MANDATORY)));
    const met = (address: string) => wanting(address, "a=curr:qos e2e sendrecv", "a=des:qos mandatory e2e sendrecv");
    await ask("reoffer", message("UPDATE sip:bob@10.3.0.10 SIP/2.0", "3 UPDATE", [], met("10.1.0.10")));
    await ask("reoffer", ok("3 UPDATE", [], met("10.3.0.10")));
    expect(service.get(id)?.answered).toBeUndefined();
    expect(service.get(id)?.flows.length).toBeGreaterThan(0);
    await ask("answer", ok("1 INVITE", [], met("10.3.0.10")));
    expect(service.get(id)?.answered).toBeDefined();
  });

  it("is in the PRACK where the provisional offered (RFC 3262 §5)", async () => {
    const { service, port } = await world();
    const { ask } = await proxy(port);
    await ask("invite", invite(""));
    await ask("provisional", progress(RELIABLE, sdp("10.3.0.10")));
    expect(service.get(id)?.flows).toEqual([]);
    const prack = (rack: string) =>
      message("PRACK sip:bob@10.3.0.10 SIP/2.0", "2 PRACK", [`RAck: ${rack}`], sdp("10.1.0.10"));
    await ask("reoffer", prack("1 1 INVITE"));
    expect(service.get(id)?.flows.length).toBeGreaterThan(0);
    expect([service.get(id)?.reoffer, service.get(id)?.answered]).toEqual([undefined, undefined]);
  });
});

describe("a reservation that is mandatory (RFC 3312)", () => {
  it("is refused with 580 where there is no room, and with 503 where it is only hoped for", async () => {
    const { port } = await world(10);
    const { ask } = await proxy(port);
    expect(told(await ask("invite", invite(wanting("10.1.0.10", ...MANDATORY)))).status).toBe(580);
    expect(told(await ask("invite", invite(wanting("10.1.0.10", "a=des:qos optional e2e sendrecv")))).status).toBe(503);
  });

  it("concerns this side's network, or it says nothing here", async () => {
    const { port } = await world(10);
    const { ask } = await proxy(port);
    const status = async (line: string) => told(await ask("invite", invite(wanting("10.1.0.10", line)))).status;
    expect(await status("a=des:qos mandatory local sendrecv")).toBe(580);
    expect(await status("a=des:qos mandatory remote sendrecv")).toBe(503);
  });

  it("is refused under a rule that reserves nothing, also when only the answer makes it mandatory", async () => {
    const { service, port } = await world(1000, { treatment: "bestEffort" });
    const { ask } = await proxy(port);
    expect(told(await ask("invite", invite(wanting("10.1.0.10", ...MANDATORY)))).status).toBe(580);
    expect(service.get(id)?.refusal?.text).toBe(
      "medium 0 has to be reserved (a=des:qos mandatory), rule calls serves it as best effort",
    );
    const optional = wanting("10.1.0.10", "a=des:qos optional e2e sendrecv");
    expect(told(await ask("invite", invite(optional))).status).toBeUndefined();
    expect(told(await ask("answer", ok("1 INVITE", [], wanting("10.3.0.10", ...MANDATORY)))).status).toBe(580);
  });
});
