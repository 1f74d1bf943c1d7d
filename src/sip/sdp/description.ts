/** What this program reads in an SDP description (RFC 8866). Values as written; meaning is made in flows.ts. */

export type SdpDirection = "sendrecv" | "sendonly" | "recvonly" | "inactive";

export interface SdpBandwidth {
  /** b=AS: kbit/s, IP, UDP and RTP headers included (RFC 8866 §5.8). */
  readonly as?: number;
  /** b=TIAS: bit/s, without IP and UDP headers (RFC 3890 §6.2). */
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

/** What may stand at session level, for all media, and at media level, for one. */
export interface SdpScope {
  /** c=: an address, or a host name; a multicast TTL is kept on it. */
  readonly connection?: string;
  readonly bandwidth: SdpBandwidth;
  readonly direction?: SdpDirection;
  /** a=maxprate: packets per second (RFC 3890 §6.3). */
  readonly maxPacketRate?: number;
  /** a=extmap: RTP headers may be longer than 12 octets (RFC 8285 §5). */
  readonly headerExtensions?: boolean;
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
  /** a=rtcp (RFC 3605 §2.1). */
  readonly rtcp?: { readonly port: number; readonly address?: string };
  readonly rtcpMux: boolean;
  /** a=ptime and a=maxptime: ms of media in a packet. */
  readonly ptime?: number;
  readonly maxptime?: number;
  /** 1-based line of the m=. */
  readonly line: number;
}

export interface SessionDescription {
  /** o= session id and version: an equal pair means that nothing changed (RFC 3264 §8). */
  readonly origin: { readonly sessionId: string; readonly version: string };
  readonly session: SdpScope;
  readonly media: readonly SdpMedia[];
}
