import { describe, expect, it } from "vitest";
import { Inbox } from "../../../src/rsvp/endpoint/inbox.js";
import { DEFAULT_RSVP_LIMITS, type RsvpLimits } from "../../../src/rsvp/endpoint/limits.js";
import type { ReceivedDatagram } from "../../../src/rsvp/endpoint/transport.js";
import { FakeClock } from "../../support/fake-clock.js";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function make(limits: Partial<RsvpLimits> = {}) {
  const clock = new FakeClock();
  const got: ReceivedDatagram[] = [];
  const options = { limits: { ...DEFAULT_RSVP_LIMITS, ...limits }, clock };
  const inbox = new Inbox({ ...options, deliver: (datagram) => got.push(datagram) });
  const offer = (source = "192.0.2.1", octets = Buffer.alloc(8)): void =>
    inbox.offer({ octets, protocol: "rsvp", interface: "eth0", source });
  return { clock, got, inbox, offer };
}

describe("the inbox", () => {
  it("takes no message that is shorter than its header, or too long", async () => {
    const { inbox, got, offer } = make({ maxMessage: 100 });
    for (const length of [0, 7, 101, 8, 100]) offer("192.0.2.1", Buffer.alloc(length));
    await turn();
    expect(got.map(({ octets }) => octets.length)).toEqual([8, 100]);
    expect(inbox.counts()).toEqual({ received: 2, wrongSize: 3, flood: 0 });
  });

  it("copies what it keeps: the socket's buffer is written again", async () => {
    const { got, offer } = make();
    const buffer = Buffer.from("original");
    offer("192.0.2.1", buffer);
    buffer.write("modified");
    await turn();
    expect(got[0]?.octets.toString()).toBe("original");
  });

  it("bounds each source for a second, and the others do not suffer", async () => {
    const { inbox, clock, got, offer } = make({ perSource: 10 });
    for (let count = 0; count < 100; count += 1) offer("192.0.2.66");
    offer("192.0.2.1");
    await turn();
    expect(got).toHaveLength(11);
    expect(inbox.counts().flood).toBe(90);
    clock.advance(1000);
    offer("192.0.2.66");
    await turn();
    expect(got).toHaveLength(12);
  });

  it("bounds all of them together, and what it remembers of sources", async () => {
    const { inbox, offer, clock } = make({ perSecond: 50, maxSources: 4, perSource: 5 });
    for (let count = 0; count < 40; count += 1) offer(`192.0.2.${count}`);
    // Four sources by name, and five messages for all the rest.
    expect(inbox.counts().received).toBe(9);
    clock.advance(1000);
    for (let count = 0; count < 100; count += 1) offer(`192.0.2.${count % 20}`);
    expect(inbox.counts().received).toBe(9 + 25);
  });

  it("handles so many in a turn, and keeps so many waiting", async () => {
    const { inbox, got, offer } = make({ perTurn: 3, maxWaiting: 8 });
    for (let count = 0; count < 10; count += 1) offer();
    const seen: number[] = [];
    for (let count = 0; count < 3; count += 1) {
      await turn();
      seen.push(got.length);
    }
    expect(seen).toEqual([3, 6, 8]);
    expect(inbox.counts()).toEqual({ received: 8, wrongSize: 0, flood: 2 });
  });

  it("does not shut when the clock is set back", async () => {
    const { inbox, clock, offer } = make({ perSource: 1 });
    offer();
    clock.time -= 3_600_000;
    offer();
    expect(inbox.counts().received).toBe(2);
  });

  it("delivers nothing after it was closed", async () => {
    const { inbox, got, offer } = make();
    offer();
    inbox.close();
    offer();
    await turn();
    expect(got).toEqual([]);
  });
});
