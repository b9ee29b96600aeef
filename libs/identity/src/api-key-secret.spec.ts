import { hashSecret, isWellFormedSecret, newSecret, shownPrefix } from './api-key-secret.js';

describe('an API key', () => {
  it('has the published form and never repeats', () => {
    const secrets = Array.from({ length: 200 }, newSecret);
    for (const secret of secrets) expect(secret).toMatch(/^rl_live_[0-9A-Za-z]{33}$/);
    expect(new Set(secrets).size).toBe(200);
    expect(secrets.every(isWellFormedSecret)).toBe(true);
  });

  it('is told from a mistyped one at every position', () => {
    const secret = newSecret();
    for (let index = 0; index < secret.length; index += 1) {
      const other = secret[index] === 'x' ? 'y' : 'x';
      expect(isWellFormedSecret(secret.slice(0, index) + other + secret.slice(index + 1))).toBe(false);
    }
  });

  it('is told from a cut, a lengthened and a padded one', () => {
    const secret = newSecret();
    for (const wrong of ['', 'rl_live_', secret.slice(0, -1), `${secret}0`, ` ${secret}`, `${secret}\n`]) {
      expect(isWellFormedSecret(wrong)).toBe(false);
    }
  });

  it('is stored as its SHA-256 and shown by twelve characters', () => {
    expect(hashSecret('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    expect(shownPrefix('rl_live_ABCDEFGH')).toBe('rl_live_ABCD');
  });
});
