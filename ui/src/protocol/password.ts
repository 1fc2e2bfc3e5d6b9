/** The password rule, the same everywhere in the product. Counted in Unicode code points; letters and digits are ASCII. */
export const MAX_PASSWORD_LENGTH = 128;
const MIN_PASSWORD_LENGTH = 8;

export interface PasswordCheck {
  label: string;
  met: boolean;
}

export function checkPassword(password: string): { valid: boolean; checks: PasswordCheck[] } {
  const length = [...password].length;
  const checks = [
    { label: "At least 8 characters", met: length >= MIN_PASSWORD_LENGTH },
    { label: "At least one uppercase letter (A-Z)", met: /[A-Z]/.test(password) },
    { label: "At least one lowercase letter (a-z)", met: /[a-z]/.test(password) },
    { label: "At least one number (0-9)", met: /[0-9]/.test(password) },
    { label: "No more than 128 characters", met: length <= MAX_PASSWORD_LENGTH },
  ];
  return { valid: checks.every((check) => check.met), checks };
}
