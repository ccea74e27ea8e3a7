//! Lists of words are texts, the words parted by spaces.

/// Words that say by themselves that a column names a person, or a day or place of one.
const WORDS: &str = "birth birthday birthdate dob address phone telephone tel mobile fax email \
    mail surname furigana kana zip zipcode postcode postal passport ssn mrn creditcard card \
    shimei jusho denwa seinengappi kanja hihokensha";

/// A person, and what is said of one: `patient_id`, `insured-number`, `subjectname`.
const PERSONS: &str = "patient person insured subject member";
const OF_PERSONS: &str = "id no num number code key token name identifier";

/// Whole names; `drug_name` is none.
const NAMES: &str = "name fullname firstname lastname familyname givenname middlename \
    maidenname forename mynumber カナ";

/// The same in Japanese, wherever they stand in a name or an explanation.
const JAPANESE: &str = "氏名 姓名 患者名 フリガナ ふりがな カナ氏名 生年月日 誕生日 住所 郵便番号 \
    電話 携帯番号 メールアドレス 被保険者番号 被保険者証 保険証 個人番号 マイナンバー 患者番号 \
    患者id 診察券 カルテ番号 カード番号 口座番号";

/// The word by which the name of a column says that it names a person, if any.
#[must_use]
pub fn column(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    let parts: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).collect();
    let whole = parts.concat();
    let word = WORDS.split(' ').find(|word| parts.contains(word));
    let of_person = PERSONS.split(' ').find(|person| {
        let rest = whole.strip_prefix(person);
        rest.is_some_and(|rest| rest.is_empty() || OF_PERSONS.split(' ').any(|of| of == rest))
    });
    let named = NAMES.split(' ').find(|known| *known == whole);
    word.or(of_person).or(named).or_else(|| explanation(&name))
}

/// The same of what is said about a column: Japanese words only, as English ones stand in
/// harmless sentences as well.
#[must_use]
pub fn explanation(text: &str) -> Option<&'static str> {
    let text = text.to_lowercase();
    JAPANESE.split(' ').find(|word| text.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ri_1_columns_that_name_a_person_are_found() {
        let names = "name full_name First-Name family_name kana kana_name birth_date \
            date_of_birth dob birthday home_address phone tel_no e_mail email insured_number \
            insured card_number patient_id PatientID patient-no patient person_id mrn my_number \
            zip_code shimei hihokensha_bango 氏名 患者氏名 カナ 生年月日 住所 電話番号 \
            被保険者番号 患者番号 患者ID E-mail メールアドレス";
        for name in names.split(' ') {
            assert!(column(name).is_some(), "{name}");
        }
    }

    #[test]
    fn columns_about_codes_are_let_through() {
        let names = "code drug_name item score unit_price atc icd10 burden telomere \
            patient_share cardiology 薬価 負担スコア 傷病名コード カナグリフロジンの薬価";
        for name in names.split(' ') {
            assert_eq!(column(name), None, "{name}");
        }
    }
}
