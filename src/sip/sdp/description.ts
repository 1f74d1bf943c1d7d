/** What this program reads in an SDP description (RFC 8866). Values as written; meaning is made in flows.ts. */
import type { SdpQuality } from "./quality/description.js";

export type SdpDirection = "sendrecv" | "sendonly" | "recvonly" | "inactive";

export interface SdpBandwidth {
  /** b=AS: kbit/s, IP, UDP and RTP headers included (RFC 8866 §5.8). */
  readonly as?: number;
  /** b=TIAS: bit/s of payload, without the headers of RTP, UDP and IP (RFC 3890 §6.2.2). */
  readonly tias?: number;
  /** b=RS, b=RR: bit/s of RTCP (RFC 3556 §2). */
  readonly rs?: number;
  readonly rr?: number;
}

export interface SdpCodec {
  /** Lower case. */
  readonly name: string;
  /** Hz. */
  readonly clockRate: number;
  readonly channels: number;
  /** a=fmtp, as written. */
  readonly parameters?: string;
}

export interface SdpRtcp {
  readonly port: number;
  readonly address?: string;
}

/** a=crypto (RFC 4568), without its keys. */
export interface SdpCrypto {
  readonly tag: number;
  readonly suite: string;
  /** False if its parameters switch encryption or authentication off. */
  readonly protects: boolean;
}

/** a=fingerprint (RFC 8122): nothing here needs the digest itself. */
export interface SdpFingerprint {
  /** Lower case. */
  readonly hash: string;
  readonly octets: number;
}

/** a=setup (RFC 4145). */
export const SDP_SETUPS = ["active", "passive", "actpass", "holdconn"] as const;
export type SdpSetup = (typeof SDP_SETUPS)[number];

/** What may stand at session level, for all media, and at media level, for one. */
export interface SdpScope extends SdpQuality {
  /** c=: an address, or a host name; a multicast TTL is kept on it. */
  readonly connection?: string;
  readonly bandwidth: SdpBandwidth;
  readonly direction?: SdpDirection;
  /** a=maxprate: packets per second (RFC 3890 §6.3). */
  readonly maxPacketRate?: number;
  /** a=extmap: RTP headers may be longer than 12 octets (RFC 8285 §5). */
  readonly headerExtensions?: boolean;
  /** There are ICE credentials or candidates (RFC 8839 §5). */
  readonly ice?: boolean;
  readonly fingerprints?: readonly SdpFingerprint[];
  readonly setup?: SdpSetup;
}

export interface SdpMedia extends SdpScope {
  /** `audio`, `video`, `application` … lower case. */
  readonly kind: string;
  readonly port: number;
  /** `m=… port/count`: that many consecutive pairs. */
  readonly portCount: number;
  /** Upper case: `RTP/AVP`. */
  readonly protocol: string;
  readonly formats: readonly string[];
  /** By format; static payload types without rtpmap are filled in (RFC 3551 §6). */
  readonly codecs: ReadonlyMap<string, SdpCodec>;
  /** a=rtcp (RFC 3605 §2.1); left out where rtcp-mux is offered and its address is 0.0.0.0 or ::. */
  readonly rtcp?: SdpRtcp;
  readonly rtcpMux: boolean;
  /** a=ptime and a=maxptime: ms of media in a packet. */
  readonly ptime?: number;
  readonly maxptime?: number;
  /** a=mid (RFC 5888). */
  readonly mid?: string;
  /** a=bundle-only (RFC 9143): port 0 is then no refusal. */
  readonly bundleOnly?: boolean;
  /** A candidate's address is an mDNS name. */
  readonly hiddenCandidates?: boolean;
  readonly cryptos?: readonly SdpCrypto[];
  /** 1-based line of the m=. */
  readonly line: number;
}

export interface SessionDescription {
  /** o= session id and version: an equal pair means that nothing changed (RFC 3264 §8). */
  readonly origin: { readonly sessionId: string; readonly version: string };
  readonly session: SdpScope;
  /** Each a=group:BUNDLE's identification tags, in its order (RFC 9143). */
  readonly bundles: readonly (readonly string[])[];
  readonly media: readonly SdpMedia[];
}
