/** Keys and certificates in files, replaced as those who renew them do, and what a server shows of them. */
import { cpSync, mkdirSync, mkdtempSync, readlinkSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type TLSSocket } from "node:tls";
import { execa } from "execa";
import type { KeyPairPaths } from "../../src/http/key-pair.js";

export class Pairs {
  readonly directory = mkdtempSync(join(tmpdir(), "sluice-pairs-"));

  path(name: string): string {
    return join(this.directory, name);
  }

  /** A key and a certificate with this common name. */
  async make(name: string, days = 100): Promise<KeyPairPaths> {
    const [key, certificate] = [this.path(`${name}.key`), this.path(`${name}.crt`)];
    const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", String(days)];
    await execa("openssl", ["req", "-x509", ...kind, "-subj", `/CN=${name}`, "-keyout", key, "-out", certificate]);
    return { key, certificate };
  }

  /** Paths that a server is told, which are those of `pair` now. */
  live(pair: KeyPairPaths): KeyPairPaths {
    const paths = { key: this.path("live.key"), certificate: this.path("live.crt") };
    this.copy(pair, paths);
    return paths;
  }

  /** In place: as `cp` does, each file is there all the time. */
  copy(from: KeyPairPaths, to: KeyPairPaths): void {
    cpSync(from.key, to.key);
    cpSync(from.certificate, to.certificate);
  }

  /** By renaming finished files. */
  rename(from: KeyPairPaths, to: KeyPairPaths): void {
    const fresh = { key: `${to.key}.new`, certificate: `${to.certificate}.new` };
    this.copy(from, fresh);
    renameSync(fresh.key, to.key);
    renameSync(fresh.certificate, to.certificate);
  }

  /** As certbot: `live/` has links into `archive/`, which are set to the next number. */
  link(from: KeyPairPaths): KeyPairPaths {
    const [live, archive] = [this.path("live"), this.path("archive")];
    for (const place of [live, archive]) mkdirSync(place, { recursive: true });
    const paths = { key: join(live, "privkey.pem"), certificate: join(live, "fullchain.pem") };
    for (const part of ["key", "certificate"] as const) {
      const number = 1 + Number(/(\d+)\.pem$/.exec(targetOf(paths[part]))?.[1] ?? 0);
      const target = join(archive, `${part}${number}.pem`);
      cpSync(from[part], target);
      rmSync(paths[part], { force: true });
      symlinkSync(target, paths[part]);
    }
    return paths;
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

function targetOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return "";
  }
}

export interface Seen {
  readonly socket: TLSSocket;
  /** Common name of the server's certificate. */
  readonly name: string | string[] | undefined;
}

/** Opens a connection of its own. */
export function greet(port: number): Promise<Seen> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, rejectUnauthorized: false });
    socket.once("error", reject);
    socket.once("secureConnect", () => {
      socket.on("error", () => undefined);
      resolve({ socket, name: socket.getPeerCertificate().subject.CN });
    });
  });
}
