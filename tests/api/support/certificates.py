"""Certificates that are made for a test, by openssl."""
import subprocess


def make_certificate(folder, *names):
    """The files of a certificate for these names or addresses, which is its own authority, and of its key."""
    certificate, key = folder / f"{names[0]}.crt", folder / f"{names[0]}.key"
    alternatives = ",".join(f"{'IP' if name[0].isdigit() else 'DNS'}:{name}" for name in names)
    _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
             "-subj", f"/CN={names[0]}", "-addext", f"subjectAltName={alternatives}",
             "-keyout", key, "-out", certificate)
    return certificate, key


def make_expired_certificate(folder, *names):
    """The same, which has expired in the second in which it was made."""
    certificate, key = make_certificate(folder, *names)
    expired = folder / f"{names[0]}-expired.crt"
    _openssl("x509", "-in", certificate, "-signkey", key, "-days", "0", "-out", expired)
    return expired, key


def _openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)
