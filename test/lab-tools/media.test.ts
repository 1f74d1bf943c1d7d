import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { combineDirections, measureStream, type RtpPacket, readStream } from "../../src/lab/media.js";
import type { Dscp, Octets, Timestamp } from "../../src/model/units.js";
import { pcapFile, rtp, udpFrame } from "./frames.js";

const packet = (sequence: number, at: number, dscp = 46): RtpPacket => ({
  at: at as Timestamp,
  ssrc: 1,
  sequence,
  timestamp: sequence * 160,
  dscp: dscp as Dscp,
  octets: 200 as Octets,
});

const sent = Array.from({ length: 100 }, (_, index) => packet(index, index * 20));
/** Each packet `delay(index)` ms later, at the receiver. */
const arrived = (delay: (index: number) => number): RtpPacket[] =>
  sent.map(({ sequence, at }, index) => packet(sequence, at + delay(index)));

describe("measureStream", () => {
  it("measures a clean stream", () => {
    const figures = measureStream(
      sent,
      arrived(() => 0.25),
    );
    expect(figures).toEqual({
      sent: 100,
      received: 100,
      lossPct: 0,
      p50Ms: 0.25,
      p99Ms: 0.25,
      maxMs: 0.25,
      jitterMs: 0,
      dscp: [46],
      octets: 20_000,
    });
  });

  it("counts what never came, and takes percentiles by nearest rank", () => {
    const received = arrived((index) => index + 1).filter(({ sequence }) => sequence % 4 !== 0);
    const figures = measureStream(sent, received);
    expect(figures.lossPct).toBe(25);
    // 75 delays: 2, 3, 4, 6, 7, 8, 10 …; the 38th and the 75th.
    expect([figures.p50Ms, figures.p99Ms, figures.maxMs]).toEqual([51, 100, 100]);
  });

  it("moves jitter by a sixteenth of each change in transit time (RFC 3550 6.4.1)", () => {
    const two = measureStream(sent.slice(0, 2), [packet(0, 0), packet(1, 36)]);
    expect(two.jitterMs).toBe(1);
    const alternating = measureStream(
      sent,
      arrived((index) => (index % 2) * 8),
    );
    expect(alternating.jitterMs).toBeGreaterThan(7.9);
    expect(alternating.jitterMs).toBeLessThanOrEqual(8);
  });

  it("does not take the sender's own unevenness for the network's", () => {
    const uneven = sent.map(({ sequence }, index) => packet(sequence, index * 20 + (index % 3) * 9));
    const received = uneven.map(({ sequence, at }) => packet(sequence, at + 1));
    expect(measureStream(uneven, received).jitterMs).toBe(0);
  });

  it("counts a duplicate's octets but not a second arrival", () => {
    const figures = measureStream(sent, [...arrived(() => 1), packet(5, 5000)]);
    expect(figures).toMatchObject({ received: 100, lossPct: 0, maxMs: 1, octets: 20_200 });
  });

  it("tells packets apart whose sequence numbers wrapped", () => {
    const long = Array.from({ length: 65_537 }, (_, index) => ({
      ...packet(index & 0xffff, index),
      timestamp: index * 160,
    }));
    expect(measureStream(long, long.slice(1)).lossPct).toBeCloseTo(100 / 65_537, 2);
    expect(measureStream(long, long).received).toBe(65_537);
  });

  it("has figures for a stream of which nothing came, and for no stream", () => {
    expect(measureStream(sent, [])).toMatchObject({ lossPct: 100, p99Ms: 0, dscp: [], octets: 0 });
    expect(measureStream([], [])).toMatchObject({ sent: 0, lossPct: 0 });
  });

  it("shows the worse direction of a call, and loss over both", () => {
    const clean = measureStream(
      sent,
      arrived(() => 1),
    );
    const lossy = measureStream(
      sent,
      arrived(() => 3)
        .slice(50)
        .map((one) => ({ ...one, dscp: 0 as Dscp })),
    );
    expect(combineDirections(clean, lossy)).toMatchObject({ sent: 200, lossPct: 25, p50Ms: 3, dscp: [0, 46] });
  });
});

describe("readStream", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "sluice-media-"));
  });
  afterAll(() => rm(directory, { recursive: true }));

  it.each([
    ["10.1.0.10", "10.3.0.10"],
    ["fd01::10", "fd03::10"],
  ])("takes one direction of RTP from a capture (%s)", async (from, to) => {
    const path = join(directory, "capture.pcap");
    const there = { from, fromPort: 6000, to, toPort: 6000, dscp: 46 };
    const back = { ...there, from: to, to: from };
    await writeFile(
      path,
      pcapFile([
        { at: 1000, bytes: udpFrame(there, rtp(7)) },
        { at: 1005, bytes: udpFrame(back, rtp(7)) },
        { at: 1010, bytes: udpFrame({ ...there, toPort: 5060 }, rtp(8)) },
        { at: 1015, bytes: udpFrame(there, Buffer.from("not RTP at all")) },
        { at: 1020, bytes: udpFrame(there, rtp(8)) },
      ]),
    );
    const packets = await readStream(path, { source: from, destination: to, destinationPort: 6000 });
    expect(packets).toEqual([
      { at: 1000, ssrc: 0xca110000, sequence: 7, timestamp: 1120, dscp: 46, octets: from.includes(":") ? 220 : 200 },
      { at: 1020, ssrc: 0xca110000, sequence: 8, timestamp: 1280, dscp: 46, octets: from.includes(":") ? 220 : 200 },
    ]);
  });
});
