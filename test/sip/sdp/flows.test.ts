import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DecodeError } from "../../../src/model/errors.js";
import { describeFlow } from "../../../src/model/flow.js";
import { type FlowOptions, flowsOf, type MediaFlow } from "../../../src/sip/sdp/flows.js";
import { readSdp } from "../../../src/sip/sdp/reader.js";

const sdp = (address: string, ...lines: string[]): string =>
  `v=0\r\no=- 1 1 IN IP4 x\r\ns=-\r\nc=IN ${address.includes(":") ? "IP6" : "IP4"} ${address}\r\nt=0 0\r\n${lines.map((l) => `${l}\r\n`).join("")}`;
const CALLER = "198.51.100.1";
const CALLEE = "203.0.113.9";

function flows(offer: string, answer?: string, options?: FlowOptions): readonly MediaFlow[] {
  const result = flowsOf(
    readSdp(Buffer.from(offer)),
    answer === undefined ? undefined : readSdp(Buffer.from(answer)),
    options,
  );
  if (result.kind !== "flows") throw new Error(result.text);
  return result.flows;
}

const line = (flow: MediaFlow): string =>
  `${flow.toward} ${flow.component} ${flow.key === undefined ? "reserved" : describeFlow(flow.key)} ${flow.traffic.rate}${flow.gate === "open" ? "" : " closed"}`;

describe("flows of an answered call", () => {
  it("are RTP and RTCP each way, between the ports both sides gave", () => {
    const result = flows(sdp(CALLER, "m=audio 4000 RTP/AVP 0 8"), sdp(CALLEE, "m=audio 6000 RTP/AVP 8"));
    expect(result.map(line)).toEqual([
      `caller rtp udp ${CALLEE}:6000 > ${CALLER}:4000 80000`,
      `caller rtcp udp ${CALLEE}:6001 > ${CALLER}:4001 4000`,
      `callee rtp udp ${CALLER}:4000 > ${CALLEE}:6000 80000`,
      `callee rtcp udp ${CALLER}:4001 > ${CALLEE}:6001 4000`,
    ]);
    expect(result[0]?.traffic.packetsPerSecond).toBe(50);
    expect(result[0]?.traffic.burst).toBe(5000);
  });

  it("take any source port where media is not symmetric", () => {
    const [first] = flows(sdp(CALLER, "m=audio 4000 RTP/AVP 0"), sdp(CALLEE, "m=audio 6000 RTP/AVP 0"), {
      symmetric: false,
    });
    expect(first?.key && describeFlow(first.key)).toBe(`udp ${CALLEE}:* > ${CALLER}:4000`);
  });

  it("turn round when the callee made the offer", () => {
    const result = flows(sdp(CALLEE, "m=audio 6000 RTP/AVP 0"), sdp(CALLER, "m=audio 4000 RTP/AVP 0"), {
      offerer: "callee",
    });
    expect(line(result[0] as MediaFlow)).toBe(`callee rtp udp ${CALLER}:4000 > ${CALLEE}:6000 80000`);
  });

  it("are the same over IPv6, with its larger header", () => {
    const result = flows(sdp("2001:db8::1", "m=audio 4000 RTP/AVP 0"), sdp("2001:DB8:0::2", "m=audio 6000 RTP/AVP 0"));
    expect(line(result[0] as MediaFlow)).toBe("caller rtp udp [2001:db8::2]:6000 > [2001:db8::1]:4000 88000");
  });

  it("follow c= of the medium and a=rtcp", () => {
    const offer = sdp(CALLER, "m=audio 4000 RTP/AVP 0", "c=IN IP4 198.51.100.7", "a=rtcp:4501 IN IP4 198.51.100.8");
    const result = flows(offer, sdp(CALLEE, "m=audio 6000 RTP/AVP 0", "a=rtcp:7000"));
    expect(result.map((flow) => flow.key && describeFlow(flow.key))).toEqual([
      `udp ${CALLEE}:6000 > 198.51.100.7:4000`,
      `udp ${CALLEE}:7000 > 198.51.100.8:4501`,
      `udp 198.51.100.7:4000 > ${CALLEE}:6000`,
      `udp 198.51.100.8:4501 > ${CALLEE}:7000`,
    ]);
  });

  it("share one 5-tuple under rtcp-mux, only if both want it", () => {
    const offer = sdp(CALLER, "m=audio 4000 RTP/AVP 0", "a=rtcp-mux", "a=rtcp:9 IN IP4 0.0.0.0");
    const both = flows(offer, sdp(CALLEE, "m=audio 6000 RTP/AVP 0", "a=rtcp-mux"));
    expect(both.map(line)).toEqual([
      `caller rtp udp ${CALLEE}:6000 > ${CALLER}:4000 84000`,
      `callee rtp udp ${CALLER}:4000 > ${CALLEE}:6000 84000`,
    ]);
    expect(flows(offer, sdp(CALLEE, "m=audio 6000 RTP/AVP 0"))).toHaveLength(4);
  });

  it("are summed up for bundled media", () => {
    const media = (port: number) => [
      `m=audio ${port} UDP/TLS/RTP/SAVPF 0`,
      "a=rtcp-mux",
      `m=video ${port} UDP/TLS/RTP/SAVPF 96`,
      "a=rtpmap:96 VP8/90000",
      "b=AS:500",
      "a=rtcp-mux",
    ];
    const result = flows(sdp(CALLER, ...media(4000)), sdp(CALLEE, ...media(6000)));
    expect(result.map(line)).toEqual([
      `caller rtp udp ${CALLEE}:6000 > ${CALLER}:4000 613200`,
      `callee rtp udp ${CALLER}:4000 > ${CALLEE}:6000 613200`,
    ]);
  });

  it("leave out refused media, and keep others", () => {
    const offer = sdp(CALLER, "m=audio 4000 RTP/AVP 0", "m=video 4002 RTP/AVP 96");
    const result = flows(offer, sdp(CALLEE, "m=audio 6000 RTP/AVP 0", "m=video 0 RTP/AVP 96"));
    expect(new Set(result.map((flow) => flow.media))).toEqual(new Set(["audio"]));
    expect(flows(sdp(CALLER, "m=audio 0 RTP/AVP 0"))).toEqual([]);
  });

  it("make one pair for each of port/count", () => {
    const result = flows(sdp(CALLER, "m=video 4000/2 RTP/AVP 96"), sdp(CALLEE, "m=video 6000/2 RTP/AVP 96"));
    expect(result.filter((flow) => flow.toward === "caller").map((flow) => flow.key?.destination.port)).toEqual([
      4000, 4001, 4002, 4003,
    ]);
  });
});

describe("hold", () => {
  const answer = (direction: string) => sdp(CALLEE, "m=audio 6000 RTP/AVP 0", `a=${direction}`);
  const gates = (offered: string, answered: string) =>
    flows(sdp(CALLER, "m=audio 4000 RTP/AVP 0", `a=${offered}`), answer(answered))
      .filter((flow) => flow.component === "rtp")
      .map((flow) => `${flow.toward} ${flow.gate}`);

  it.each([
    ["sendrecv", "sendrecv", "open", "open"],
    ["sendonly", "recvonly", "closed", "open"],
    ["recvonly", "sendonly", "open", "closed"],
    ["inactive", "inactive", "closed", "closed"],
    ["sendrecv", "recvonly", "closed", "open"],
  ])("%s and %s", (offered, answered, towardCaller, towardCallee) => {
    expect(gates(offered, answered)).toEqual([`caller ${towardCaller}`, `callee ${towardCallee}`]);
  });

  it("keeps the reservation, and the old 0.0.0.0 has no key", () => {
    const result = flows(sdp("0.0.0.0", "m=audio 4000 RTP/AVP 0"), sdp(CALLEE, "m=audio 6000 RTP/AVP 0"));
    expect(line(result[0] as MediaFlow)).toBe("caller rtp reserved 80000 closed");
  });

  it("at session level is for all media, and a medium may say otherwise", () => {
    const offer = sdp(CALLER, "a=inactive", "m=audio 4000 RTP/AVP 0", "m=audio 4002 RTP/AVP 0", "a=sendrecv");
    const result = flows(offer).filter((flow) => flow.component === "rtp" && flow.toward === "caller");
    expect(result.map((flow) => flow.gate)).toEqual(["closed", "open"]);
  });
});

describe("an offer alone", () => {
  it("takes its worst codec; the callee's port is open, its own place unknown", () => {
    const result = flows(sdp(CALLER, "m=audio 4000 RTP/AVP 18 0 101", "a=rtpmap:101 telephone-event/8000"), undefined, {
      answererAddress: CALLEE,
    });
    expect(result.map(line)).toEqual([
      `caller rtp udp ${CALLEE}:* > ${CALLER}:4000 80000`,
      `caller rtcp udp ${CALLEE}:* > ${CALLER}:4001 4000`,
      "callee rtp reserved 80000",
      "callee rtcp reserved 4000",
    ]);
    expect(flows(sdp(CALLER, "m=audio 4000 RTP/AVP 0")).every((flow) => flow.key === undefined)).toBe(true);
  });
});

describe("rates at layer 3", () => {
  const rate = (...lines: string[]): number | undefined => flows(sdp(CALLER, ...lines))[0]?.traffic.rate;
  const audio = (name: string, ...more: string[]) => rate("m=audio 4000 RTP/AVP 96", `a=rtpmap:96 ${name}`, ...more);

  it.each([
    ["PCMU/8000", 80_000],
    ["G722/8000", 80_000],
    ["G729/8000", 24_000],
    ["GSM/8000", 29_200],
    ["opus/48000/2", 80_000],
  ])("%s is %i bit/s", (name, expected) => {
    expect(audio(name)).toBe(expected);
  });

  it("follows ptime, maxptime and fmtp", () => {
    expect(audio("PCMA/8000", "a=ptime:10")).toBe(96_000);
    expect(audio("PCMA/8000", "a=ptime:30")).toBe(74_667);
    expect(audio("PCMA/8000", "a=ptime:40", "a=maxptime:20")).toBe(80_000);
    expect(audio("iLBC/8000", "a=fmtp:96 mode=20")).toBe(31_200);
    expect(audio("opus/48000/2", "a=fmtp:96 maxaveragebitrate=24000")).toBe(40_000);
  });

  const medium = (name: string, ...more: string[]) => ["m=audio 4000 RTP/AVP 96", `a=rtpmap:96 ${name}`, ...more];
  /** Both sides say the same. */
  const size = (lines: readonly string[], answered = lines, [caller, callee] = [CALLER, CALLEE]) =>
    flows(sdp(caller, ...lines), sdp(callee, ...answered))[0]?.traffic.packetSize;

  it.each<[number | undefined, string, string[]]>([
    [200, "G.711", medium("PCMU/8000")],
    [200, "G.711 by its static payload type", ["m=audio 4000 RTP/AVP 8"]],
    [120, "10 ms of it", medium("PCMA/8000", "a=ptime:10")],
    [200, "no more than maxptime", medium("PCMA/8000", "a=ptime:40", "a=maxptime:20")],
    [200, "G.722, whose clock says 8000", ["m=audio 4000 RTP/AVP 9"]],
    [60, "G.729", ["m=audio 4000 RTP/AVP 18"]],
    [64, "G.723.1 with its 30 ms", ["m=audio 4000 RTP/AVP 4"]],
    [73, "GSM", ["m=audio 4000 RTP/AVP 3"]],
    [90, "iLBC", medium("iLBC/8000")],
    [78, "iLBC with 20 ms", medium("iLBC/8000", "a=fmtp:96 mode=20")],
    [360, "L16", medium("L16/8000")],
    [200, "a bandwidth beside it", medium("PCMU/8000", "b=AS:100")],
    [
      160,
      "Opus that is told its rate and to keep it",
      medium("opus/48000/2", "a=fmtp:96 maxaveragebitrate=48000;cbr=1"),
    ],
    [200, "events beside it", ["m=audio 4000 RTP/AVP 0 101", "a=rtpmap:101 telephone-event/8000"]],
    [undefined, "G.729 that ends within a frame", ["m=audio 4000 RTP/AVP 18", "a=ptime:25"]],
    [undefined, "larger than a link carries", ["m=audio 4000 RTP/AVP 10"]],
    [undefined, "stereo under a name that has one channel", medium("PCMU/8000/2")],
    [undefined, "Opus, whose packets vary", medium("opus/48000/2", "a=fmtp:96 maxaveragebitrate=48000")],
    [undefined, "AMR", medium("AMR/8000")],
    [undefined, "a codec that nobody knows", medium("X-NEW/8000")],
    [undefined, "video", ["m=video 4000 RTP/AVP 31"]],
    [undefined, "SRTP: its tag is of the suite", ["m=audio 4000 RTP/SAVP 0"]],
    [undefined, "header extensions", medium("PCMU/8000", "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level")],
    [undefined, "redundancy", ["m=audio 4000 RTP/AVP 0 97", "a=rtpmap:97 red/8000"]],
    [undefined, "multiplexed RTCP", medium("PCMU/8000", "a=rtcp-mux")],
    [undefined, "more packets than the time makes", medium("PCMU/8000", "a=maxprate:100")],
  ])("tells the largest packet, %s: %s", (wanted, _, lines) => {
    expect(size(lines)).toBe(wanted);
  });

  it("tells no packet size where the sides mean different times, of RTCP, or of an offer with several codecs", () => {
    expect(size(medium("PCMU/8000", "a=ptime:30"), medium("PCMU/8000"))).toBeUndefined();
    expect(size(medium("PCMU/8000", "a=ptime:20"), medium("PCMU/8000"))).toBe(200);
    expect(flows(sdp(CALLER, "m=audio 4000 RTP/AVP 0 18"))[0]?.traffic.packetSize).toBeUndefined();
    const both = flows(sdp(CALLER, "m=audio 4000 RTP/AVP 0"), sdp(CALLEE, "m=audio 6000 RTP/AVP 0"));
    expect(both.map(({ component, traffic }) => [component, traffic.packetSize])).toEqual([
      ["rtp", 200],
      ["rtcp", undefined],
      ["rtp", 200],
      ["rtcp", undefined],
    ]);
  });

  it("counts the packet's larger header over IPv6", () => {
    expect(size(medium("PCMU/8000"), undefined, ["2001:db8::1", "2001:db8::2"])).toBe(220);
  });

  it("never tells a packet of which five do not fit into the burst, or that the rate does not carry", () => {
    const codec = fc.constantFrom(
      "PCMU/8000",
      "G722/8000",
      "G729/8000",
      "GSM/8000",
      "G723/8000",
      "iLBC/8000",
      "L16/8000",
    );
    const time = fc.option(fc.integer({ min: 1, max: 120 }), { nil: undefined });
    fc.assert(
      fc.property(codec, time, time, (name, ptime, maxptime) => {
        const lines = medium(
          name,
          ...(ptime === undefined ? [] : [`a=ptime:${ptime}`]),
          ...(maxptime === undefined ? [] : [`a=maxptime:${maxptime}`]),
        );
        const traffic = flows(sdp(CALLER, ...lines), sdp(CALLEE, ...lines))[0]?.traffic;
        if (traffic?.packetSize === undefined) return;
        expect(traffic.burst).toBeGreaterThanOrEqual(5 * traffic.packetSize);
        const packetTime = Math.min(
          ptime ?? (name.startsWith("G723") || name.startsWith("iLBC") ? 30 : 20),
          maxptime ?? 1e9,
        );
        // What the codec makes of itself passes: so many packets of that size are within the rate.
        expect(traffic.rate * 1.01).toBeGreaterThanOrEqual((traffic.packetSize * 8 * 1000) / packetTime);
      }),
    );
  });

  it("adds the SRTP tag", () => {
    expect(rate("m=audio 4000 RTP/SAVP 0")).toBe(84_000);
  });

  it("prefers TIAS with its headers, then AS, then the table", () => {
    expect(audio("PCMU/8000", "b=AS:100")).toBe(100_000);
    expect(audio("PCMU/8000", "b=AS:100", "b=TIAS:64000", "a=maxprate:50")).toBe(64_000 + 50 * 40 * 8);
    expect(rate("b=AS:90", "m=audio 4000 RTP/AVP 0")).toBe(90_000);
    expect(rate("b=AS:900", "m=audio 4000 RTP/AVP 0", "m=video 4002 RTP/AVP 96")).toBe(80_000);
    expect(rate("m=video 4002 RTP/AVP 96", "a=rtpmap:96 H264/90000", "b=AS:768")).toBe(768_000);
  });

  it("takes what the receiver wants for each direction", () => {
    const offer = sdp(CALLER, "m=audio 4000 RTP/AVP 0", "a=ptime:10");
    const result = flows(offer, sdp(CALLEE, "m=audio 6000 RTP/AVP 0", "b=AS:70")).filter(
      (flow) => flow.component === "rtp",
    );
    expect(result.map((flow) => flow.traffic.rate)).toEqual([96_000, 70_000]);
  });

  it("RTCP is RS + RR, at least a packet a second, and none for 0 and 0", () => {
    const rtcp = (...lines: string[]) =>
      flows(sdp(CALLER, "m=audio 4000 RTP/AVP 0", ...lines)).filter((f) => f.component === "rtcp");
    expect(rtcp("b=RS:3000", "b=RR:5000")[0]?.traffic.rate).toBe(8000);
    expect(rtcp("b=RS:0", "b=RR:100")[0]?.traffic).toMatchObject({ rate: 1600, packetsPerSecond: 1 });
    expect(rtcp("b=RS:0", "b=RR:0")).toEqual([]);
  });
});

describe("what cannot be enforced", () => {
  const reason = (offer: string, answer?: string) => {
    const result = flowsOf(
      readSdp(Buffer.from(offer)),
      answer === undefined ? undefined : readSdp(Buffer.from(answer)),
    );
    return result.kind === "unusable" ? result.reason : result.kind;
  };
  const medium = "m=audio 4000 RTP/AVP 0";

  it("is data with a reason", () => {
    expect(reason(sdp("media.example.com", medium))).toBe("addressIsName");
    expect(reason(sdp("224.2.1.1/127", medium))).toBe("multicast");
    expect(reason(sdp("ff02::1", medium))).toBe("multicast");
    expect(reason(sdp(CALLER, medium).replace(/c=.*\r\n/, ""))).toBe("addressMissing");
    expect(reason(sdp(CALLER, medium), sdp("2001:db8::1", medium))).toBe("familyMismatch");
    expect(reason(sdp(CALLER, medium), sdp(CALLEE))).toBe("answerMismatch");
    expect(reason(sdp(CALLER, "m=message 9 TCP/MSRP *"))).toBe("flows");
  });
});

describe("readSdp", () => {
  const bad = (text: string): string => {
    try {
      readSdp(Buffer.from(text, "latin1"));
    } catch (error) {
      if (error instanceof DecodeError) return `${error.code} ${error.message}`;
      throw error;
    }
    return "read";
  };
  const good = sdp(CALLER, "m=audio 4000 RTP/AVP 0");

  it.each([
    ["", "line 1 column 1"],
    ["v=1\r\n", "line 1 column 1"],
    ["v=0\r\ns=-\r\n", "line 2 column 1"],
    ["v=0\r\no=- 1 IN IP4 x\r\n", "line 2 column 3"],
    [good.replace("4000", "70000"), "line 6 column 9: the port is above 65535"],
    [good.replace("4000", "4000/99"), "line 6 column 14"],
    [good.replace("4000", "x"), "line 6 column 3"],
    [good.replace(" 0\r\n", "\r\n").replace("RTP/AVP 0", "RTP/AVP"), "line 6 column 3"],
    [`${good}a=rtcp:0\r\n`, "line 7 column 8: a=rtcp cannot be read"],
    [`${good}a=ptime:0\r\n`, "line 7 column 9"],
    [`${good}b=AS:many\r\n`, "line 7 column 3"],
    [`${good}b:AS=1\r\n`, "line 7 column 2"],
    [`${good}q=1\r\n`, "line 7 column 1"],
    [`${good}s=again\r\n`, "line 7 column 1"],
    [`${good}i=a\0b\r\n`, "line 7 column 4"],
    [good.replace("c=IN IP4", "c=IN IP5"), "line 4 column 3"],
  ])("refuses %j with its place", (text, place) => {
    expect(bad(text)).toContain(`SDP_SYNTAX SDP ${place}`);
  });

  it("says the octet", () => {
    expect(() => readSdp(Buffer.from(`${good}a=rtcp:0\r\n`))).toThrow(
      expect.objectContaining({ detail: { offset: good.length + 7, object: "a=rtcp" } }),
    );
  });

  it("reads lone LF, ignores what it does not know, keeps the origin", () => {
    const text = `${good}a=x-unknown:1\r\na=curr:qos local none\r\nb=X-YZ:12\r\ni=text\r\n`.replaceAll("\r\n", "\n");
    const description = readSdp(Buffer.from(text));
    expect(description.origin).toEqual({ sessionId: "1", version: "1" });
    expect(description.media[0]).toMatchObject({ kind: "audio", port: 4000, protocol: "RTP/AVP", formats: ["0"] });
  });

  it("bounds lines, media and octets", () => {
    expect(bad(good + "a=x\r\n".repeat(1000))).toContain("too many lines");
    expect(bad(good + "m=audio 1 RTP/AVP 0\r\n".repeat(32))).toContain("too many m=");
    expect(bad(good + "a".repeat(40_000))).toContain("SDP_TOO_LARGE");
  });

  it("throws nothing but DecodeError, and flowsOf nothing at all", () => {
    const seed = sdp(
      CALLER,
      "b=AS:100",
      "m=audio 4000/2 RTP/AVP 0 96",
      "a=rtpmap:96 opus/48000/2",
      "a=rtcp:4001",
      "a=ptime:20",
    );
    const changes = fc.array(
      fc.tuple(fc.nat(seed.length - 1), fc.constantFrom("0", "9", " ", "/", "\r", "\n", ":", "m", "=", "")),
    );
    fc.assert(
      fc.property(changes, (list) => {
        let text = seed;
        for (const [at, char] of list) text = text.slice(0, at) + char + text.slice(at + 1);
        try {
          const description = readSdp(Buffer.from(text, "latin1"));
          flowsOf(description, description, { symmetric: list.length % 2 === 0 });
          flowsOf(description, undefined);
        } catch (error) {
          if (!(error instanceof DecodeError)) throw error;
        }
      }),
      { numRuns: 2000 },
    );
  });
});
