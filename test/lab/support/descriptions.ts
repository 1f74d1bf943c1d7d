/** Session descriptions of the agents in a lab. */

export type Lines = readonly string[];

export const HOSTS = {
  4: { caller: "10.1.0.10", callee: "10.3.0.10" },
  6: { caller: "fd01::10", callee: "fd03::10" },
} as const;

export interface DescriptionWish {
  readonly family?: 4 | 6;
  /** Larger in each new description of one side. */
  readonly version?: number;
}

const FINGERPRINT = `a=fingerprint:sha-256 ${Array.from({ length: 32 }, () => "AB").join(":")}`;

/**
 * Audio as bare G.711, 80 kbit/s at layer 3, without RTCP; an `m=` for each of `media`, with these attributes. `dtls` and
 * `rejected` stand for what is no attribute of its own.
 */
export function describeMedia(
  side: "caller" | "callee",
  media: readonly Lines[],
  { family = 4, version = 1 }: DescriptionWish = {},
): string {
  const place = `IN IP${family} ${HOSTS[family][side]}`;
  const written = media.flatMap((lines, nth) => {
    const port = lines.includes("rejected") ? 0 : 6000 + 2 * nth;
    const isSafe = lines.includes("dtls");
    return [
      `m=audio ${port} ${isSafe ? "UDP/TLS/RTP/SAVP" : "RTP/AVP"} 0`,
      ...["b=RS:0", "b=RR:0", "a=ptime:20"],
      ...lines.filter((line) => line !== "dtls" && line !== "rejected").map((line) => `a=${line}`),
      ...(isSafe ? [FINGERPRINT, `a=setup:${side === "caller" ? "actpass" : "active"}`] : []),
    ];
  });
  return ["v=0", `o=- 1 ${version} ${place}`, "s=-", `c=${place}`, "t=0 0", ...written, ""].join("\r\n");
}
