/** Headers that every answer carries. */

export interface HeaderOptions {
  /** The page's origin. */
  readonly publicUrl: string;
  /** Where its SIP agent connects to. */
  readonly wss: string;
}

export type AnswerHeaders = Readonly<Record<string, string>>;

/** Half a year and a year are what preload lists and scanners ask for; two years are common. */
const HSTS_SECONDS = 63_072_000;

/** What browsers are told to keep from the page, whatever finds its way into it. */
export function securityHeaders({ publicUrl, wss }: HeaderOptions): AnswerHeaders {
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    `connect-src 'self' ${new URL(wss).origin}`,
    "style-src 'self'",
    "img-src 'self' data:",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ];
  return {
    "Content-Security-Policy": policy.join("; "),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=(self), payment=(), usb=()",
    ...(publicUrl.startsWith("https:") ? { "Strict-Transport-Security": `max-age=${HSTS_SECONDS}` } : {}),
  };
}
