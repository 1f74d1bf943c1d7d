import { describe, expect, it } from "vitest";
import {
  defaultAddress,
  onlyDefaultCandidates,
  withDefaultAddress,
} from "../../../../src/portal/web/sip/transport-address.js";

const CANDIDATE4 = "a=candidate:1 1 udp 2122260223 192.0.2.2 47119 typ host generation 0";
const CANDIDATE6 = "a=candidate:2 1 udp 2122265343 fd00::2 41399 typ host generation 0";
const TCP = "a=candidate:3 1 tcp 1518280447 192.0.2.2 9 typ host tcptype active generation 0";
const HIDDEN = "a=candidate:4 1 udp 2113937151 0f8e.local 55000 typ host generation 0";
const lines = (...text: readonly string[]): string => `${text.join("\r\n")}\r\n`;
const START = ["v=0", "o=- 1 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0 1"];
const BUNDLED = ["m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "c=IN IP4 0.0.0.0", "a=mid:1"];
const audio = (port: number, address: string, ...candidates: readonly string[]): readonly string[] => [
  `m=audio ${port} UDP/TLS/RTP/SAVPF 111`,
  address,
  "a=rtcp:9 IN IP4 0.0.0.0",
  ...candidates,
  "a=mid:0",
];
const SDP = lines(...START, ...audio(47119, "c=IN IP4 192.0.2.2", CANDIDATE4, CANDIDATE6, TCP), ...BUNDLED);

describe("the addresses of a description", () => {
  it("are those of m= and c=, and no other candidate is offered", () => {
    expect(onlyDefaultCandidates(SDP)).toBe(
      lines(...START, ...audio(47119, "c=IN IP4 192.0.2.2", CANDIDATE4), ...BUNDLED),
    );
    expect(onlyDefaultCandidates(onlyDefaultCandidates(SDP))).toBe(onlyDefaultCandidates(SDP));
  });

  it("stay as they are where none is the default, as where they are hidden", () => {
    const hidden = lines(...START, ...audio(9, "c=IN IP4 0.0.0.0", HIDDEN, TCP), ...BUNDLED);
    expect(onlyDefaultCandidates(hidden)).toBe(hidden);
    expect(defaultAddress(hidden)).toBeUndefined();
  });

  it("become those that packets use; what is bundled stays bundled", () => {
    const used = { address: "fd00::2", port: 41399 };
    const moved = withDefaultAddress(SDP, used);
    expect(defaultAddress(SDP)).toEqual({ address: "192.0.2.2", port: 47119 });
    expect(defaultAddress(moved)).toEqual(used);
    expect(onlyDefaultCandidates(moved)).toBe(
      lines(...START, ...audio(41399, "c=IN IP6 fd00::2", CANDIDATE6), ...BUNDLED),
    );
  });
});
