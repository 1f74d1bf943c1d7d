import { describe, expect, it } from "vitest";
import { CALLEE, CALLER, flows, keyOf, quality, read, result, sdp } from "./descriptions.js";
import chromium from "./fixtures/chromium.json" with { type: "json" };

/** Written by a browser on one host, offer and answer; only the digests of its certificates are taken out. */
const written: Readonly<Record<string, { readonly offer: readonly string[]; readonly answer: readonly string[] }>> =
  chromium.descriptions;
const HOST = "192.0.2.2";

function exchange(name: string): { offer: string; answer: string } {
  const { offer = [], answer = [] } = written[name] ?? {};
  return { offer: offer.map((line) => `${line}\r\n`).join(""), answer: answer.map((line) => `${line}\r\n`).join("") };
}

/** Ports of the m= lines, in order. */
const ports = (description: string) => [...description.matchAll(/^m=\S+ (\d+)/gm)].map((match) => match[1]);

describe("descriptions of a browser", () => {
  it("of a data channel are one flow each way", () => {
    const { offer, answer } = exchange("data, addresses shown");
    const made = flows(offer, answer);
    expect(made.map(keyOf)).toEqual([
      `caller data udp ${HOST}:${ports(answer)[0]} > ${HOST}:${ports(offer)[0]}`,
      `callee data udp ${HOST}:${ports(offer)[0]} > ${HOST}:${ports(answer)[0]}`,
    ]);
    expect(made.map(({ security }) => security)).toEqual(["dtls", "dtls"]);
  });

  it("of audio are one flow each way with its RTCP", () => {
    const { offer, answer } = exchange("audio, addresses shown");
    const made = flows(offer, answer);
    expect(made.map(keyOf)).toEqual([
      `caller rtp udp ${HOST}:${ports(answer)[0]} > ${HOST}:${ports(offer)[0]}`,
      `callee rtp udp ${HOST}:${ports(offer)[0]} > ${HOST}:${ports(answer)[0]}`,
    ]);
    // Opus with its SRTP tag, and 5 % of that for RTCP.
    expect(made.map(({ traffic, security }) => [traffic.rate, security])).toEqual([
      [88_200, "dtls"],
      [88_200, "dtls"],
    ]);
  });

  it.each(["both, addresses shown", "both max-bundle, addresses shown", "both again, addresses shown"])(
    "of %s are one flow each way, at the place of the first medium",
    (name) => {
      const { offer, answer } = exchange(name);
      const made = flows(offer, answer);
      expect(made.map(keyOf)).toEqual([
        `caller rtp udp ${HOST}:${ports(answer)[0]} > ${HOST}:${ports(offer)[0]}`,
        `callee rtp udp ${HOST}:${ports(offer)[0]} > ${HOST}:${ports(answer)[0]}`,
      ]);
      expect(made.map(({ traffic, shared, security }) => [traffic.rate, shared, security])).toEqual([
        [88_200 + 1_023_520, [1], "dtls"],
        [88_200 + 1_023_520, [1], "dtls"],
      ]);
    },
  );

  it("that nobody answered yet reserve each medium; RTCP to 0.0.0.0 is not sent to port 9", () => {
    const { offer } = exchange("both, addresses shown");
    const made = flows(offer, undefined, { answererAddress: CALLEE });
    const [audio, data] = ports(offer);
    expect(made.map(keyOf)).toEqual([
      `caller rtp udp ${CALLEE}:* > ${HOST}:${audio}`,
      `caller rtcp udp ${CALLEE}:* > ${HOST}:${Number(audio) + 1}`,
      "callee rtp reserved",
      "callee rtcp reserved",
      `caller data udp ${CALLEE}:* > ${HOST}:${data}`,
      "callee data reserved",
    ]);
  });

  it("that bundle from the start lend the first medium's place to the others, answered or not", () => {
    const { offer } = exchange("both max-bundle, addresses shown");
    const made = flows(offer, undefined, { answererAddress: CALLEE });
    expect(made.filter(({ toward }) => toward === "caller").map(keyOf)).toEqual([
      `caller rtp udp ${CALLEE}:* > ${HOST}:${ports(offer)[0]}`,
      `caller rtcp udp ${CALLEE}:* > ${HOST}:${Number(ports(offer)[0]) + 1}`,
    ]);
    expect(made[0]?.shared).toEqual([1]);
  });

  it.each(Object.keys(written).filter((name) => name.endsWith("hidden")))("of %s say what to set", (name) => {
    const { offer, answer } = exchange(name);
    const shown = exchange(name.replace("hidden", "shown"));
    for (const made of [result(offer), result(offer, answer), result(shown.offer, answer)]) {
      expect(made).toMatchObject({
        kind: "unusable",
        reason: "addressHidden",
        text: expect.stringMatching(/line \d+ hides.*mDNS.*WebRtcLocalIpsAllowedUrls.*WebRtcHideLocalIpsWithMdns/),
      });
    }
  });

  it("carry class and need like others: those of the data channel hold for the audio beside it", () => {
    const { offer, answer } = exchange("both, addresses shown");
    const more =
      "a=sluice-class:game-fps\r\na=sluice-need:sendrecv latency=40-80;rate=256-128\r\na=sluice-security:dtls\r\n";
    const made = flows(offer + more, answer + more);
    expect(made.map(quality)).toEqual([
      "caller game-fps latency=40-80;rate=344.2-216.2 344.2/216.2",
      "callee game-fps latency=40-80;rate=344.2-216.2 344.2/216.2",
    ]);
  });
});

describe("a candidate that is still to come", () => {
  it("is waited for by the agent, not by the network", () => {
    const trickled = sdp("0.0.0.0", "m=application 9 UDP/DTLS/SCTP x", "a=ice-ufrag:abcd");
    expect(result(trickled)).toMatchObject({
      reason: "addressHidden",
      text: expect.stringContaining("has to gather its candidates before it sends"),
    });
    expect(result(trickled.replaceAll("0.0.0.0", "::").replace("IP4 ::", "IP6 ::"))).toMatchObject({
      reason: "addressHidden",
    });
  });

  it("is no hold: that has another port, or no ICE", () => {
    expect(flows(sdp("0.0.0.0", "m=audio 4000 RTP/AVP 0", "a=ice-ufrag:abcd"))[0]?.gate).toBe("closed");
    expect(flows(sdp("0.0.0.0", "m=audio 9 RTP/AVP 0"))[0]?.gate).toBe("closed");
  });

  it("is told apart from a name in c=, of which only .local is the browser's", () => {
    expect(result(sdp("3a9f.local", "m=audio 4000 RTP/AVP 0"))).toMatchObject({ reason: "addressHidden" });
    expect(result(sdp("media.example", "m=audio 4000 RTP/AVP 0"))).toMatchObject({ reason: "addressIsName" });
  });
});

describe("groups", () => {
  const audio = (port: number, ...more: string[]) => [`m=audio ${port} RTP/AVP 0`, "a=mid:a", "a=rtcp-mux", ...more];
  const game = (port: number, ...more: string[]) => [`m=application ${port} UDP x`, "a=mid:g", ...more];
  const destinations = (offer: readonly string[], answer: readonly string[]) =>
    flows(sdp(CALLER, ...offer), sdp(CALLEE, ...answer))
      .filter(({ toward }) => toward === "callee")
      .map((flow) => `${flow.component} ${flow.key?.destination.port}`);

  it("hold where both sides name them", () => {
    const offer = ["a=group:BUNDLE a g", ...audio(4000), ...game(4002)];
    expect(destinations(offer, ["a=group:BUNDLE a g", ...audio(6000), ...game(6002)])).toEqual(["rtp 6000"]);
    expect(destinations(offer, ["a=group:BUNDLE g a", ...audio(6000), ...game(6002)])).toEqual(["rtp 6002"]);
    expect(destinations(offer, [...audio(6000), ...game(6002)])).toEqual(["rtp 6000", "data 6002"]);
    expect(destinations(offer, ["a=group:LS a g", ...audio(6000), ...game(6002)])).toEqual(["rtp 6000", "data 6002"]);
  });

  it("are not made by an answer alone, and have no medium that is refused", () => {
    const answer = ["a=group:BUNDLE a g", ...audio(6000), ...game(6002)];
    expect(destinations([...audio(4000), ...game(4002)], answer)).toEqual(["rtp 6000", "data 6002"]);
    expect(destinations(["a=group:BUNDLE a", "a=group:BUNDLE g", ...audio(4000), ...game(4002)], answer)).toEqual([
      "rtp 6000",
      "data 6002",
    ]);
    const refused = ["a=group:BUNDLE a g", ...audio(0), ...game(6002)];
    expect(destinations(["a=group:BUNDLE a g", ...audio(4000), ...game(4002)], refused)).toEqual(["data 6002"]);
  });

  it("take tags that nobody has, that come twice, or in another order, without harm", () => {
    const offer = ["a=group:BUNDLE a g a zz", ...audio(4000), ...game(4002)];
    expect(destinations(offer, ["a=group:BUNDLE zz a a g", ...audio(6000), ...game(6002)])).toEqual(["rtp 6000"]);
    expect(destinations(offer, ["a=group:BUNDLE a g", ...game(6000), ...audio(6002)])).toEqual([
      "rtp 6000",
      "rtcp 6001",
      "data 6002",
    ]);
  });

  it("accept a medium that is offered bundled only, whose port 0 is no refusal", () => {
    const offer = ["a=group:BUNDLE a g", ...audio(4000), ...game(0, "a=bundle-only")];
    expect(destinations(offer, ["a=group:BUNDLE a g", ...audio(6000), ...game(9)])).toEqual(["rtp 6000"]);
    expect(destinations(offer, [...audio(6000), ...game(0)])).toEqual(["rtp 6000"]);
    expect(flows(sdp(CALLER, ...offer)).map(({ media }) => media)).toEqual([
      "audio",
      "audio",
      "audio",
      "audio",
      "application",
      "application",
    ]);
  });

  it("lend no place of a medium that is not offered any more, and settle each medium once", () => {
    const offer = ["a=group:BUNDLE a b g", ...audio(0), "m=video 4002 UDP x", "a=mid:b", ...game(0, "a=bundle-only")];
    const made = flows(sdp(CALLER, ...offer), undefined, { answererAddress: CALLEE });
    expect(made.filter(({ toward }) => toward === "caller").map(keyOf)).toEqual([
      `caller data udp ${CALLEE}:* > ${CALLER}:4002`,
    ]);
    const twice = ["a=group:BUNDLE a g", "a=group:BUNDLE g", ...audio(4000), ...game(4002)];
    const answer = ["a=group:BUNDLE a g", "a=group:BUNDLE g a", ...audio(6000), ...game(6002)];
    expect(destinations(twice, answer)).toEqual(["rtp 6000"]);
  });

  it("multiplex RTCP if the first medium does", () => {
    const media = (port: number) => ["a=group:BUNDLE a v", ...audio(port), "m=video 9 RTP/AVP 31", "a=mid:v"];
    expect(destinations(media(4000), media(6000))).toEqual(["rtp 6000"]);
  });

  it("protect all by the fingerprint of the first", () => {
    const fingerprint = `a=fingerprint:sha-256 ${Array(32).fill("A0").join(":")}`;
    const media = (port: number) => [
      "a=group:BUNDLE a g",
      `m=audio ${port} UDP/TLS/RTP/SAVPF 0`,
      "a=mid:a",
      fingerprint,
      `m=application 9 UDP/DTLS/SCTP x`,
      "a=mid:g",
    ];
    expect(flows(sdp(CALLER, ...media(4000)), sdp(CALLEE, ...media(6000)))[0]).toMatchObject({
      security: "dtls",
      shared: [1],
    });
  });

  it("are read strictly", () => {
    expect(read(sdp(CALLER, "a=group:BUNDLE", "a=group:BUNDLE a b")).bundles).toEqual([[], ["a", "b"]]);
    expect(() => read(sdp(CALLER, "a=group:"))).toThrow("line 6 column 9: ");
    expect(() => read(sdp(CALLER, "a=group:BUNDLE a [b]"))).toThrow("line 6 column 18: ");
    expect(() => read(sdp(CALLER, "m=audio 1 RTP/AVP 0", "a=mid:"))).toThrow("line 7 column 7: ");
  });
});
