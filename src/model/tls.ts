/** What a server serves TLS with. */

/** Contents of PEM files. */
export interface TlsMaterial {
  readonly key: Buffer;
  /** The certificate, followed by those that signed it. */
  readonly certificate: Buffer;
}

/** What a server is told of them: TLS 1.2 and newer. */
export const secureOptions = ({ key, certificate }: TlsMaterial) =>
  ({ key, cert: certificate, minVersion: "TLSv1.2" }) as const;
