use sekisho_dataset::{AddressLevel, Profile};

/// 都道府県, as addresses begin.
const PREFECTURES: [&str; 47] = [
    "北海道",
    "青森県",
    "岩手県",
    "宮城県",
    "秋田県",
    "山形県",
    "福島県",
    "茨城県",
    "栃木県",
    "群馬県",
    "埼玉県",
    "千葉県",
    "東京都",
    "神奈川県",
    "新潟県",
    "富山県",
    "石川県",
    "福井県",
    "山梨県",
    "長野県",
    "岐阜県",
    "静岡県",
    "愛知県",
    "三重県",
    "滋賀県",
    "京都府",
    "大阪府",
    "兵庫県",
    "奈良県",
    "和歌山県",
    "鳥取県",
    "島根県",
    "岡山県",
    "広島県",
    "山口県",
    "徳島県",
    "香川県",
    "愛媛県",
    "高知県",
    "福岡県",
    "佐賀県",
    "長崎県",
    "熊本県",
    "大分県",
    "宮崎県",
    "鹿児島県",
    "沖縄県",
];

/// Cuts addresses to areas that are large enough (DP-1).
pub(super) struct Areas {
    level: AddressLevel,
    min_population: u64,
    /// Municipalities with their inhabitants, the longest name first.
    municipalities: Vec<(String, u64)>,
    prefectures: Vec<(String, u64)>,
}

impl Areas {
    pub(super) fn new(profile: &Profile, level: AddressLevel, min_population: u64) -> Self {
        let (prefectures, mut municipalities): (Vec<_>, Vec<_>) = profile
            .populations
            .iter()
            .map(|(name, people)| (name.clone(), *people))
            .partition(|(name, _)| PREFECTURES.contains(&name.as_str()));
        municipalities.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        Self { level, min_population, municipalities, prefectures }
    }

    /// The area an address may be told by; `None` when even its prefecture is too small or
    /// it does not begin with one.
    pub(super) fn of(&self, address: &str) -> Option<String> {
        if self.level == AddressLevel::Municipality {
            let mut named = self.municipalities.iter();
            if let Some((name, people)) = named.find(|(name, _)| address.starts_with(name.as_str()))
                && *people >= self.min_population
            {
                return Some(name.clone());
            }
        }
        let prefecture = PREFECTURES.iter().find(|name| address.starts_with(**name))?;
        let people = self.prefectures.iter().find(|(name, _)| name == prefecture);
        // A prefecture that the profile does not count is taken for large: the smallest has
        // half a million inhabitants.
        let small = people.is_some_and(|(_, people)| *people < self.min_population);
        (!small).then(|| (*prefecture).to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn areas(level: AddressLevel, min_population: u64) -> Areas {
        let sizes = [("東京都千代田区", 66_000), ("東京都青ヶ島村", 170), ("東京都", 14_000_000)];
        Areas {
            level,
            min_population,
            municipalities: sizes[..2].iter().map(|(n, p)| ((*n).to_owned(), *p)).collect(),
            prefectures: sizes[2..].iter().map(|(n, p)| ((*n).to_owned(), *p)).collect(),
        }
    }

    #[test]
    fn dp_1_an_address_stays_as_fine_as_its_area_is_large() {
        let areas = areas(AddressLevel::Municipality, 10_000);
        assert_eq!(areas.of("東京都千代田区永田町1-6-1").unwrap(), "東京都千代田区");
        assert_eq!(areas.of("東京都青ヶ島村無番地").unwrap(), "東京都");
        assert_eq!(areas.of("京都府京都市中京区").unwrap(), "京都府");
        assert_eq!(areas.of("Tokyo"), None);
    }

    #[test]
    fn dp_1_a_coarser_level_or_a_higher_threshold_hides_more() {
        let prefecture = areas(AddressLevel::Prefecture, 0);
        assert_eq!(prefecture.of("東京都千代田区永田町").unwrap(), "東京都");
        assert_eq!(areas(AddressLevel::Municipality, 20_000_000).of("東京都千代田区"), None);
    }
}
